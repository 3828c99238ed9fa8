"""Lines of a batch that wait for other lines: the part of a line that says so.

{"key": "judge-7", "after": ["answer-7"], "after_failed": "run", "request": …}
"""

import contextlib
from typing import Any

import msgspec

from toplu.errors import InvalidArgument
from toplu.wire.gemini import lenient_json, proto_json
from toplu.wire.gemini.line_splitter import may_name

AFTER_MAX = 64  # lines that one line may wait for
RUN = "run"  # of `after_failed`: the line is asked whatever became of those before it


class _Object(msgspec.Struct):
    """Any JSON object."""


class _Waiting(msgspec.Struct):
    """The parts of a line that say whether it waits, in both spellings."""

    after: Any = None
    after_failed: Any = None
    afterFailed: Any = None  # noqa: N815  # as proto writes it
    request: _Object | None = None


class Waiting(msgspec.Struct, frozen=True):
    """The lines that a line waits for, by their keys."""

    keys: tuple[str, ...]
    runs_anyway: bool  # whatever became of them


_decoder = msgspec.json.Decoder(_Waiting)


def key_text(key: Any) -> str | None:
    """Return a key as others name it; None: it is no key."""
    if isinstance(key, str):
        return key
    if isinstance(key, int | float) and not isinstance(key, bool):
        return msgspec.json.encode(key).decode()
    return None


def keys_of(after: Any) -> tuple[str, ...]:
    """Return the keys that `after` names, each once; InvalidArgument: it is no such field."""
    if after is None:
        return ()
    named = after if isinstance(after, list) else [after]
    keys = [text for key in named if (text := key_text(key)) is not None]
    if len(keys) < len(named):
        quoted = proto_json.quote(after)
        raise InvalidArgument(f"Invalid value at 'after', a key or a list of keys, {quoted}")
    unique = tuple(dict.fromkeys(keys))
    if len(unique) > AFTER_MAX:
        raise InvalidArgument(f"Invalid value at 'after': a line may wait for {AFTER_MAX} others.")
    return unique


def check_after(after: Any, after_failed: Any) -> None:
    """Raise InvalidArgument if the fields are not as they may be."""
    keys_of(after)
    if after_failed not in (None, RUN):
        quoted = proto_json.quote(after_failed)
        raise InvalidArgument(f"Invalid value at 'after_failed', which may be \"{RUN}\", {quoted}")


def waiting_of(line: bytes) -> Waiting | None:
    """Return what the line waits for; None: nothing, or it is no request."""
    if not may_name(b"after", line):
        return None
    try:
        read = _decoder.decode(line)
        after_failed = read.after_failed or read.afterFailed
        check_after(read.after, after_failed)
    except (*proto_json.REFUSALS, InvalidArgument):
        return None
    keys = keys_of(read.after)
    if read.request is None or not keys or lenient_json.is_too_deep(line):
        return None
    return Waiting(keys=keys, runs_anyway=after_failed == RUN)


def members_of(metadata: dict[str, Any] | None) -> dict[str, Any]:
    """Return the fields of a line that the metadata of an inline request stands for.

    Where an SDK takes texts alone, several keys are a list of JSON as text.
    """
    named = {} if metadata is None else metadata
    members: dict[str, Any] = {
        name: named[name] for name in ("after", "after_failed") if name in named
    }
    after = members.get("after")
    if isinstance(after, str) and after.startswith("["):
        with contextlib.suppress(*proto_json.REFUSALS):  # a key may begin so
            members["after"] = msgspec.json.decode(after)
    return members
