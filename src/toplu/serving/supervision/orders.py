"""The order of a process that the supervisor starts, as one line of JSON."""

from pathlib import Path
from typing import Any, Literal

import msgspec

from toplu.settings.server import Settings

Role = Literal["api", "worker"]


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """The work of one process."""

    role: Role
    name: str  # for the log
    settings: Settings
    listener: int | None = None  # of an api: the file descriptor of its socket
    replicas: dict[str, list[int]] = {}  # of a worker: those that are its own, by model


def write(order: Order) -> bytes:
    """Return the order on one line."""
    return msgspec.json.encode(order, enc_hook=str) + b"\n"


def read(line: bytes) -> Order:
    """Return the order that was written."""
    return msgspec.json.decode(line, type=Order, dec_hook=_read_path)


def _read_path(kind: type, text: Any) -> Path:
    assert kind is Path, "of all that JSON does not know, settings have paths alone"
    return Path(text)
