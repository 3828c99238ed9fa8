"""Functions, calls and results in the words of OpenAI's chat API, for servers that know them."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from toplu.engines.calls import FunctionCall, FunctionResult, Functions
from toplu.engines.chat.messages import write_messages
from toplu.engines.generation import Completion
from toplu.engines.prompt import Turn


class CalledFunction(msgspec.Struct, frozen=True, kw_only=True):
    """The function that is called, or a chunk's addition to it."""

    name: str | None = None
    arguments: str | None = None  # JSON, as the model wrote it


class ToolCall(msgspec.Struct, frozen=True, kw_only=True):
    """A call of a message, or what a chunk adds to the call at its index."""

    index: int | None = None  # of a chunk
    id: str | None = None
    function: CalledFunction = CalledFunction()


class CallParts:
    """The calls of an answer, as they come."""

    def __init__(self) -> None:
        self._names: dict[int, str] = {}
        self._ids: dict[int, str] = {}
        self._arguments: dict[int, str] = {}

    def add(self, calls: Sequence[ToolCall]) -> None:
        for place, call in enumerate(calls):
            index = place if call.index is None else call.index
            self._names[index] = self._names.get(index, "") + (call.function.name or "")
            self._ids[index] = call.id or self._ids.get(index, "")
            added = call.function.arguments or ""
            self._arguments[index] = self._arguments.get(index, "") + added

    def __bool__(self) -> bool:
        """Return whether there is any."""
        return bool(self._names)

    def completed(self, completion: Completion, functions: Functions) -> Completion:
        """Return the completion with its calls, up to the first that may not be made."""
        calls: list[FunctionCall] = []
        allowed = {function.name for function in functions.allowed}
        broken = functions.must_call and not self._names
        for index in sorted(self._names):
            call = self._read(index, allowed)
            if call is None:
                broken = True
                break
            calls.append(call)
        return replace(
            completion,
            calls=tuple(calls),
            # At the limit, a call without an end is what the limit says already.
            broken_call=broken and not completion.hit_token_limit,
        )

    def _read(self, index: int, allowed: set[str]) -> FunctionCall | None:
        name = self._names[index]
        try:
            arguments = json.loads(self._arguments[index] or "{}")
        except (ValueError, RecursionError):
            return None
        if name not in allowed or not isinstance(arguments, dict):
            return None
        return FunctionCall(name=name, arguments=arguments, id=self._ids[index] or None)


def write_tools(functions: Functions) -> dict[str, Any]:
    """Return what may be called; the rest is left out, for nothing else keeps the model from it."""
    tools = [
        {
            "type": "function",
            "function": {
                "name": function.name,
                "description": function.description,
                "parameters": function.parameters,
            },
        }
        for function in functions.allowed
    ]
    return {"tools": tools, "tool_choice": "required" if functions.must_call else "auto"}


def write_dialogue(turns: tuple[Turn, ...]) -> list[dict[str, Any]]:
    """Return the messages; each result is one of its own."""
    return [message for turn in turns for message in _messages(turn)]


def _messages(turn: Turn) -> Iterator[dict[str, Any]]:
    yield from (_result(result) for result in turn.results)
    if turn.results and not any(turn.parts):
        return
    (message,) = write_messages((turn,))
    if turn.calls:
        message["tool_calls"] = [_call(call) for call in turn.calls]
    yield message


def _call(call: FunctionCall) -> dict[str, Any]:
    arguments = json.dumps(call.arguments, ensure_ascii=False)
    return {
        "id": call.id,
        "type": "function",
        "function": {"name": call.name, "arguments": arguments},
    }


def _result(result: FunctionResult) -> dict[str, Any]:
    content = json.dumps(result.response, ensure_ascii=False)
    return {"role": "tool", "tool_call_id": result.id, "content": content}
