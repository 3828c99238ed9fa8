"""The calls and results in the history of a conversation, each result with the call it is for.

A result is for the call with its id, or else for the first call of its name that has none yet.
Calls that came without an id get one, so that every engine can keep them apart.
"""

import itertools
import json
from collections import defaultdict, deque
from collections.abc import Container, Iterable, Iterator, Sequence

from msgspec.structs import replace

from toplu.engines.calls import FunctionCall, FunctionResult
from toplu.engines.prompt import Image, Role, Turn
from toplu.errors import InvalidArgument
from toplu.wire.gemini.content import Part

# The roles of older clients for a turn that has results alone.
ROLES_OF_RESULTS = ("function", "tool")

TOO_FEW = (
    "Please ensure that the number of function response parts is equal to the number of "
    "function call parts of the function call turn."
)
TOO_MANY = "Please ensure that function response turn comes immediately after a function call turn."


def part_violations(part: Part, role: Role) -> Iterator[tuple[str, str]]:
    """Yield the field and the reason of everything wrong with a part that calls or answers."""
    if (call := part.function_call) is not None:
        if role != "assistant":
            yield "function_call", f"cannot stand in a turn of the {role}."
        yield from _value_violations("function_call", call.name, call.id, call.args)
    if (given := part.function_response) is not None:
        if role != "user":
            yield "function_response", f"cannot stand in a turn of the {role}."
        yield from _value_violations("function_response", given.name, given.id, given.response)


def _value_violations(
    field: str, name: str | None, identity: str | None, value: object
) -> Iterator[tuple[str, str]]:
    if not name:
        yield f"{field}.name", "Name cannot be empty."
    elif not _is_writable([name, identity, value]):
        yield field, "has a value that JSON in UTF-8 cannot have."


def read_calls(parts: Iterable[Part]) -> tuple[FunctionCall, ...]:
    """Return the calls of a turn."""
    return tuple(
        FunctionCall(name=call.name or "", arguments=call.args or {}, id=call.id or None)
        for part in parts
        if (call := part.function_call) is not None
    )


def read_results(parts: Iterable[Part]) -> tuple[FunctionResult, ...]:
    """Return the results of a turn, as the client gave them."""
    return tuple(
        FunctionResult(name=given.name or "", response=given.response or {}, id=given.id or "")
        for part in parts
        if (given := part.function_response) is not None
    )


def join_turns(turns: Iterable[Turn]) -> Iterator[Turn]:
    """Make one turn of the model's texts in a row, and of results in a row.

    SDKs keep a turn for each streamed chunk, and clients one for each result.
    """
    for role, group in itertools.groupby(turns, key=lambda turn: turn.role):
        spoken = list(group)
        if role == "assistant":
            calls = tuple(call for turn in spoken for call in turn.calls)
            yield Turn(role, "".join(turn.text for turn in spoken), calls=calls)
            continue
        given = [turn for turn in spoken if turn.results]
        if given:
            results = tuple(result for turn in given for result in turn.results)
            yield Turn(role, _joined(given), results=results)
        yield from (turn for turn in spoken if not turn.results)


def _joined(turns: Iterable[Turn]) -> str | tuple[str | Image, ...]:
    parts = tuple(part for turn in turns for part in turn.parts if part)
    texts = [part for part in parts if isinstance(part, str)]
    return "\n".join(texts) if len(texts) == len(parts) else parts


def pair_results(turns: Iterable[Turn]) -> Iterator[Turn]:
    """Yield the turns with ids for all calls, and the results in the order of the calls.

    A call without a result, or a result without a call, is InvalidArgument.
    """
    numbers = itertools.count(1)
    waiting: tuple[FunctionCall, ...] = ()
    for turn in turns:
        if turn.results or waiting:
            yield replace(turn, results=_paired(waiting, turn.results))
            waiting = ()
            continue
        if not turn.calls:
            yield turn
            continue
        waiting = tuple(
            call if call.id else replace(call, id=f"call-{next(numbers)}") for call in turn.calls
        )
        yield replace(turn, calls=waiting)
    _paired(waiting, ())


def _paired(
    calls: Sequence[FunctionCall], results: Sequence[FunctionResult]
) -> tuple[FunctionResult, ...]:
    by_id: dict[str | None, deque[int]] = defaultdict(deque)
    by_name: dict[str, deque[int]] = defaultdict(deque)
    for at, call in enumerate(calls):
        by_id[call.id].append(at)
        by_name[call.name].append(at)
    found: dict[int, FunctionResult] = {}
    for result in results:
        place = _first(by_id[result.id], found)
        if place is None:
            place = _first(by_name[result.name], found)
        if place is None:
            raise _error(TOO_MANY, f"{result.name} has not been called there.")
        found[place] = replace(result, id=calls[place].id or "")
    for at, call in enumerate(calls):
        if at not in found:
            raise _error(TOO_FEW, f"{call.name} has no response.")
    return tuple(found[at] for at in range(len(calls)))


def _first(places: deque[int], taken: Container[int]) -> int | None:
    """Return the first place that is not taken; those before it are never looked at again."""
    while places and places[0] in taken:
        places.popleft()
    return places[0] if places else None


def _error(rule: str, reason: str) -> InvalidArgument:
    return InvalidArgument(f"* GenerateContentRequest.contents: {rule} ({reason})\n")


def _is_writable(value: object) -> bool:
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except ValueError:  # also half a surrogate pair
        return False
    return True
