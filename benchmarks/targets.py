"""The targets of a benchmark's figures, and whether each is met."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Target:
    """A bound that a figure is to keep."""

    bound: float
    is_least: bool  # else it is the most that the figure may be

    def is_hit(self, figure: float) -> bool:
        return figure >= self.bound if self.is_least else figure <= self.bound

    def __str__(self) -> str:
        return f"{'≥' if self.is_least else '≤'} {self.bound:g}"


def at_least(bound: float) -> Target:
    """Return a target that is missed by less than the bound."""
    return Target(bound, is_least=True)


def at_most(bound: float) -> Target:
    """Return a target that is missed by more than the bound."""
    return Target(bound, is_least=False)
