"""One call, as a table of an API has it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Operated:
    """One call: its method and path, what it does, takes and gives (None: an empty object)."""

    method: str
    path: str
    summary: str
    takes: Any = None
    gives: Any = None
    dry_gives: Any = None  # with validateOnly
    query: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    fails: tuple[int, ...] = ()  # beside ALWAYS_FAILS
    streams: bool = False  # gives many, as a list or as events
    uploads: bool = False  # takes bytes of any type as well, and may give nothing
    form: Mapping[str, Any] | None = None  # the schema of a form, which it takes in place of JSON
    downloads: bool = False  # gives bytes
    ranges: bool = False  # gives a part of them, if asked for one
    gives_lines: bool = False  # gives JSON lines
    is_health: bool = False  # may be called without a key
