"""The grammar of an answer that calls functions, in the form of `engines.functions.text_format`.

must call:  call (call …)
otherwise:  text, in which the mark of a call can only be the beginning of one
no calls:   text without such a mark
"""

import json
from collections.abc import Sequence

from toplu.engines.calls import CALLS_MAX, Function
from toplu.engines.functions.text_format import BETWEEN_CALLS, CALL, CALL_END
from toplu.structured.grammar import write_literals

# How the marks of calls and of results begin. The model writes no results: it has to call.
FAMILY = "<tool_"
AFTER_FAMILY = CALL.removeprefix(FAMILY)[0]

TEXT = f"/(?s:.*)/ & ~/(?s:.*){FAMILY}(?s:.*)/"
# Up to the first mark, and with it; the mark of nothing else may begin before it.
UP_TO_CALL = (
    f"/(?s:.*){CALL.encode('unicode_escape').decode()}/"
    f" & ~/(?s:.*){FAMILY}[^{AFTER_FAMILY}](?s:.*)/"
)

# Of an answer in a conversation that has calls, but may have no further ones.
NO_CALLS = f"answer: TEXT\nTEXT: {TEXT}\n"


def write_call_rules(allowed: Sequence[Function], *, must_call: bool) -> str:
    """Return the rules of the symbol `answer`, in llguidance's Lark."""
    names = [f"call_{index}" for index in range(len(allowed))]
    calls = f"end ({_text(BETWEEN_CALLS + CALL)} call end){{0,{CALLS_MAX - 1}}}"
    rules = [
        f"call: {' | '.join(names)}",
        f"end: {_text(CALL_END)}",
        *(_call(name, function) for name, function in zip(names, allowed, strict=True)),
    ]
    if must_call:
        first = f"answer: {_text(CALL)} call {calls}"
    else:
        first = f"answer: TEXT | before call {calls}\nTEXT: {TEXT}\nbefore[lazy]: {UP_TO_CALL}"
    return "".join(f"{rule}\n" for rule in (first, *rules))


def _call(symbol: str, function: Function) -> str:
    begin = f'{{"name": {json.dumps(function.name)}, "arguments": '
    rule = f"{symbol}: {_text(begin)} {symbol}_arguments {_text('}')}"
    return f"{rule}\n{symbol}_arguments: {function.arguments.rule}"


def _text(text: str) -> str:
    return write_literals((text,))
