"""A benchmark, as the list of all has it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sizes import Size
from targets import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """One way to measure, and what its figures are to be."""

    name: str  # as in the issue, or a word
    title: str
    measure: Callable[[Size], Mapping[str, Any]]
    targets: Mapping[str, Target] = field(default_factory=dict)
    is_selected: bool = True  # for the ten minutes
