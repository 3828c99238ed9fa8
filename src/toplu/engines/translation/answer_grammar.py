"""The grammar that holds an answer to what was asked for, for engines that decode by one."""

from toplu.engines.functions.grammar import NO_CALLS
from toplu.engines.prompt import Prompt
from toplu.engines.translation.thinking import write_thoughts_before


def grammar_of(prompt: Prompt) -> str | None:
    """Return the grammar of the answer, None if it may be any text."""
    form = prompt.functions or prompt.structure
    if form is not None:
        grammar = form.grammar
    elif any(turn.calls for turn in prompt.turns):
        grammar = NO_CALLS  # or the model would call as it did before
    else:
        return None
    if prompt.thinking is None or prompt.thinking.tokens_max == 0:
        return grammar
    # It would hold the thoughts to the form as well.
    return write_thoughts_before(grammar, prompt.thinking.end)
