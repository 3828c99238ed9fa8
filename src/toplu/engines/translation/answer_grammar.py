"""The grammar that holds an answer to what was asked for, for engines that decode by one."""

import json

from toplu.engines.functions.grammar import NO_CALLS
from toplu.engines.prompt import Prompt
from toplu.structured.structure import write_whole


def grammar_of(prompt: Prompt) -> str | None:
    """Return the grammar of the answer in llguidance's Lark, None if it may be any text."""
    form = prompt.functions or prompt.structure
    if form is not None:
        rules = form.rules
    elif any(turn.calls for turn in prompt.turns):
        rules = NO_CALLS  # or the model would call as it did before
    else:
        return None
    if prompt.thinking is None or prompt.thinking.tokens_max == 0:
        return write_whole(f"start: answer\n{rules}")
    # It would hold the thoughts to the form as well.
    end = json.dumps(prompt.thinking.end, ensure_ascii=False)
    return write_whole(
        f"start: thoughts BLANKS answer\nthoughts[suffix={end}]: /(?s:.*)/\n"
        f"BLANKS: /[ \\n]{{0,2}}/\n{rules}"
    )
