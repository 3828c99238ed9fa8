"""The grammar of an answer that calls functions, in the form of `engines.functions.text_format`.

must call:  call (call …)
otherwise:  text, in which the mark of a call can only be the beginning of one
no calls:   text without such a mark
"""

import json
from collections.abc import Mapping, Sequence

from toplu.engines.calls import CALLS_MAX, Function
from toplu.engines.functions.text_format import BETWEEN_CALLS, CALL, CALL_END
from toplu.structured.characters import quote
from toplu.structured.grammar import write_grammar
from toplu.structured.shape import Choice, Literals, Member, Record, Shape
from toplu.structured.stop_mark import write_until

MARK = CALL.strip()
# How the marks of calls and of results begin. The model writes no results: it has to call.
FAMILY = "<tool_"


# Of an answer in a conversation that has calls, but may have no further ones.
NO_CALLS = f"root ::= text-0\n{write_until(FAMILY, None, 'text', may_end=True)}"


def write_call_grammar(
    allowed: Sequence[Function], definitions: Mapping[str, Shape], path: str, *, must_call: bool
) -> str:
    """Return the grammar in GBNF, or raise SchemaFault."""
    calls = write_grammar(Choice(tuple(map(_call, allowed))), definitions, path, name="call")
    after_mark = (
        f"{quote(CALL.removeprefix(MARK))} call {quote(CALL_END)} "
        f"({quote(BETWEEN_CALLS + CALL)} call {quote(CALL_END)}){{0,{CALLS_MAX - 1}}}"
    )
    rules = f"after-mark ::= {after_mark}\n{calls}"
    if must_call:
        return f"root ::= {quote(MARK)} after-mark\n{rules}"
    text = write_until(MARK, "after-mark", "text", may_end=True, certain=len(FAMILY))
    return f"root ::= text-0\n{text}{rules}"


def _call(function: Function) -> Record:
    name = Literals((json.dumps(function.name),))
    return Record((Member("name", name, True), Member("arguments", function.shape, True)))
