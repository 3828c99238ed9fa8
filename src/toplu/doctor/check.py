"""One thing that was looked at."""

from enum import StrEnum

import msgspec


class Verdict(StrEnum):
    """The outcome of a check."""

    OK = "ok"
    WARNING = "warning"  # it works, and may not for long
    FAULT = "fault"  # it does not work


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One thing, what was found of it, and what mends it."""

    what: str
    verdict: Verdict
    found: str
    mend: str = ""  # empty: there is nothing to mend


def fine(what: str, found: str) -> Check:
    """Return a check that found nothing wrong."""
    return Check(what=what, verdict=Verdict.OK, found=found)


def warning(what: str, found: str, mend: str) -> Check:
    """Return a check that found what may go wrong."""
    return Check(what=what, verdict=Verdict.WARNING, found=found, mend=mend)


def fault(what: str, found: str, mend: str) -> Check:
    """Return a check that found what is wrong."""
    return Check(what=what, verdict=Verdict.FAULT, found=found, mend=mend)
