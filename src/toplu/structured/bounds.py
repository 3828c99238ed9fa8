"""Keeps schemas within the bounds of the settings, before anything of them is compiled."""

import json
from dataclasses import dataclass
from typing import Any, Self

from toplu.settings.bounds import GIB, KIB
from toplu.settings.model import ModelSettings
from toplu.structured.schema_fault import SchemaFault


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaBounds:
    """The largest size of a schema; the names are those of the settings."""

    bytes_max: int = 512 * KIB  # written as JSON
    depth_max: int = 100  # objects and lists within each other
    states_max: int = 500_000  # symbols of the compiled grammar
    # Of a schema that is not plain: for compiling it, and for each proof.
    seconds_max: float = 5.0  # of a processor
    memory_bytes_max: int = GIB  # of the process in which that is done

    @classmethod
    def of_model(cls, model: ModelSettings) -> Self:
        """Return the bounds that the model's settings name."""
        return cls(
            bytes_max=model.schema_bytes_max,
            depth_max=model.schema_depth_max,
            states_max=model.schema_states_max,
            seconds_max=model.schema_seconds_max,
            memory_bytes_max=model.schema_memory_bytes_max,
        )


def check_bounds(schema: Any, path: str, bounds: SchemaBounds) -> None:
    """Raise SchemaFault if the schema is over a bound, or cannot be written as JSON."""
    depth = _depth(schema, bounds.depth_max)
    if depth > bounds.depth_max:
        raise SchemaFault(path, f"is nested deeper than schema_depth_max = {bounds.depth_max}.")
    try:
        size = len(json.dumps(schema, ensure_ascii=False, allow_nan=False).encode())
    except UnicodeEncodeError:
        raise SchemaFault(path, "has half a surrogate pair.") from None
    except ValueError:
        raise SchemaFault(path, "has a number that JSON does not have.") from None
    if size > bounds.bytes_max:
        reason = f"has {size} bytes, more than schema_bytes_max = {bounds.bytes_max}."
        raise SchemaFault(path, reason)


def _depth(value: Any, most: int) -> int:
    """Return how deep the value is, or `most + 1`; level by level, for it may be very deep."""
    level = [value]
    for depth in range(most + 1):
        level = [
            inner
            for each in level
            if isinstance(each, dict | list)
            for inner in (each.values() if isinstance(each, dict) else each)
        ]
        if not level:
            return depth
    return most + 1
