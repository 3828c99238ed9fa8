"""The grammar that holds an answer to what was asked for, for engines that decode by one."""

import json
from collections.abc import Sequence

from toplu.engines.functions.grammar import NO_CALLS
from toplu.engines.prompt import Prompt
from toplu.structured.structure import write_whole


def grammar_of(prompt: Prompt, end_tokens: Sequence[int] = ()) -> str | None:
    """Return the grammar of the answer in llguidance's Lark, None if it may be any text.

    llama.cpp lets llguidance know of one token that ends an answer, and not always of the one that
    the model writes. The `end_tokens`, by their numbers, are ends as well: without them an answer
    that may go on would have to.
    """
    form = prompt.functions or prompt.structure
    if form is not None:
        rules = form.rules
    elif any(turn.calls for turn in prompt.turns):
        rules = NO_CALLS  # or the model would call as it did before
    else:
        return None
    end = f"({' | '.join(f'<[{token}]>' for token in end_tokens)})?" if end_tokens else ""
    if prompt.thinking is None or prompt.thinking.tokens_max == 0:
        return write_whole(f"start: answer {end}\n{rules}")
    # It would hold the thoughts to the form as well.
    suffix = json.dumps(prompt.thinking.end, ensure_ascii=False)
    return write_whole(
        f"start: thoughts BLANKS answer {end}\nthoughts[suffix={suffix}]: /(?s:.*)/\n"
        f"BLANKS: /[ \\n]{{0,2}}/\n{rules}"
    )
