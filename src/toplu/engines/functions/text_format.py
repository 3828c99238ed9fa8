r"""The generic form: functions, calls and results as text, for any model that reads text.

The system turn ends in what may be called, one declaration on a line:

    # Tools

    You may call one or more functions to assist with the user query.

    You are provided with function signatures within <tools></tools> XML tags:
    <tools>
    {"type": "function", "function": {"name": "f", "description": "…", "parameters": {…}}}
    </tools>

    For each function call, return a json object with function name and arguments within
    <tool_call></tool_call> XML tags:                       (the two lines are one)
    <tool_call>
    {"name": <function-name>, "arguments": <args-json-object>}
    </tool_call>

A turn of the model ends in its calls, and the user's next turn begins with what they gave:

    <tool_call>
    {"name": "f", "arguments": {"city": "Oslo"}}
    </tool_call>

    <tool_response>
    {"temperature": 3}
    </tool_response>

These are the words of the chat templates of Hermes, Qwen 2.5 and Qwen 3, so that models trained
on them read what they know. Nothing that a client, a document or a page says can look like one of
the marks: in text, `<tool_call` is written `<\tool_call`, and so are the other marks; in JSON,
every `<` is `\u003c`, and a `[` that could begin a special token, as in `[INST]`, is `\u005b`.
"""

import json
import re
from typing import Any

from toplu.engines.calls import Function, FunctionCall, FunctionResult, Functions
from toplu.engines.prompt import Turn

CALL, CALL_END = "<tool_call>\n", "\n</tool_call>"
BETWEEN_CALLS = "\n"
RESULT, RESULT_END = "<tool_response>\n", "\n</tool_response>"

HEAD = """# Tools

You may call one or more functions to assist with the user query.

You are provided with function signatures within <tools></tools> XML tags:
<tools>
"""
FOOT = """
</tools>

For each function call, return a json object with function name and arguments within \
<tool_call></tool_call> XML tags:
<tool_call>
{"name": <function-name>, "arguments": <args-json-object>}
</tool_call>"""

# The wide forms as well: some tokenizers read them as the narrow ones.
MARK = re.compile(r"[<＜](?=/?tool(?:s|_call|_response)\b)", re.IGNORECASE)  # noqa: RUF001
# In JSON these stand within strings alone, where an escape means the same.
SPECIAL = re.compile(r"[<＜]|[\[［](?=/?[A-Z])")  # noqa: RUF001


def write_turns(turns: tuple[Turn, ...], functions: Functions | None) -> tuple[Turn, ...]:
    """Return the conversation in turns of text alone; unchanged if no function is in it."""
    if functions is None and not any(turn.calls or turn.results for turn in turns):
        return turns
    written = [_in_text(turn) for turn in turns]
    if functions is not None:
        tools = _tools(functions)
        if written and written[0].role == "system":
            written[0] = Turn("system", f"{written[0].text}\n\n{tools}")
        else:
            written.insert(0, Turn("system", tools))
    return tuple(written)


def _in_text(turn: Turn) -> Turn:
    marked = tuple(
        MARK.sub(_set_apart, part) if isinstance(part, str) else part for part in turn.parts
    )
    if turn.calls:
        calls = (_call(call) for call in turn.calls)
        return Turn(turn.role, "\n".join(filter(None, [Turn(turn.role, marked).text, *calls])))
    bare = Turn(turn.role, marked if turn.images else Turn(turn.role, marked).text)
    if not turn.results:
        return bare
    results = "\n".join(_result(result) for result in turn.results)
    return bare.after(f"{results}\n") if any(marked) else Turn(turn.role, results)


def _call(call: FunctionCall) -> str:
    return f"{CALL}{_json({'name': call.name, 'arguments': call.arguments})}{CALL_END}"


def _result(result: FunctionResult) -> str:
    return f"{RESULT}{_json(result.response)}{RESULT_END}"


def _tools(functions: Functions) -> str:
    return HEAD + "\n".join(_json(_declaration(each)) for each in functions.declared) + FOOT


def _declaration(function: Function) -> dict[str, Any]:
    described = {"description": function.description} if function.description else {}
    signature = {"name": function.name, **described, "parameters": function.parameters}
    return {"type": "function", "function": signature}


def _json(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return SPECIAL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _set_apart(found: re.Match[str]) -> str:
    return f"{found[0]}\\"
