"""Writes ranges of numbers as grammar: digits alone have to keep a number within its bounds.

A range is cut into runs in which every digit is free, as 17 to 342 is 17-19, 20-99, 100-299,
300-339, 340-342. Numbers are said without an exponent, and with a bounded number of digits.
"""

from collections.abc import Iterator
from decimal import Decimal

from toplu.structured.scalars import DIGITS_MAX, LIMIT
from toplu.structured.shape import Integer, Number

FRACTION_DIGITS = 6  # unless a bound has more: a third is 0.333333, and it ends

FREE_INTEGER = f'"-"? ("0" | [1-9] [0-9]{{0,{DIGITS_MAX - 1}}})'
FREE_NUMBER = f'{FREE_INTEGER} ("." [0-9]{{1,{FRACTION_DIGITS}}})?'


def integer_rule(shape: Integer) -> str:
    """Return the rule of the integers."""
    if shape.low is None and shape.high is None:
        return FREE_INTEGER
    low = 1 - LIMIT if shape.low is None else shape.low
    high = LIMIT - 1 if shape.high is None else shape.high
    return " | ".join(_signed(low, high))


def _signed(low: int, high: int) -> Iterator[str]:
    if low < 0:
        for run in _magnitudes(max(1, -high), -low):
            yield f'"-" {run}'
    if high >= 0:
        yield from _magnitudes(max(0, low), high)


def _magnitudes(low: int, high: int) -> Iterator[str]:
    """Yield runs of the integers from low to high, both at least 0, by their length."""
    for length in range(len(str(low)), len(str(high)) + 1):
        first = max(low, 10 ** (length - 1) if length > 1 else 0)
        last = min(high, 10**length - 1)
        yield from _runs(str(first), str(last))


def _runs(first: str, last: str) -> Iterator[str]:
    """Yield the texts of digits from first to last, which are of one length."""
    rest = len(first) - 1
    if first[0] == last[0]:
        tails = _runs(first[1:], last[1:]) if rest else [""]
        for tail in tails:
            yield f"[{first[0]}] {tail}".rstrip()
        return
    low, high = int(first[0]), int(last[0])
    if set(first[1:]) - {"0"}:
        for tail in _runs(first[1:], "9" * rest):
            yield f"[{low}] {tail}"
        low += 1
    ending = bool(set(last[1:]) - {"9"})
    if low <= high - ending:
        yield f"[{low}-{high - ending}]" + (f" [0-9]{{{rest}}}" if rest else "")
    if ending:
        for tail in _runs("0" * rest, last[1:]):
            yield f"[{high}] {tail}"


def number_rule(shape: Number) -> str:
    """Return the rule of the numbers."""
    if shape.low is None and shape.high is None:
        return FREE_NUMBER
    low = Decimal(1 - LIMIT) if shape.low is None else shape.low
    high = Decimal(LIMIT - 1) if shape.high is None else shape.high
    runs: list[str] = []
    if low < 0:
        # Mirrored. Zero is said without a sign.
        top = (Decimal(0), True) if high >= 0 else (-high, shape.high_open)
        runs += (f'"-" {run}' for run in _decimals(*top, -low, shape.low_open))
    if high > 0 or (high == 0 and not shape.high_open):
        bottom = (Decimal(0), False) if low < 0 else (low, shape.low_open)
        runs += _decimals(*bottom, high, shape.high_open)
    return " | ".join(runs)


def _decimals(low: Decimal, low_open: bool, high: Decimal, high_open: bool) -> Iterator[str]:
    """Yield runs of the decimals between two bounds that are not negative."""
    low_whole, low_digits = _split(low)
    high_whole, high_digits = _split(high)
    budget = max(len(low_digits), len(high_digits)) + 1
    # Within the digits that a float keeps, two numbers that differ are read as two.
    budget = max(budget, min(FRACTION_DIGITS, DIGITS_MAX - len(str(high_whole))))
    lower, upper = _Bound(low_digits, low_open), _Bound(high_digits, high_open)
    if low_whole == high_whole:
        yield from _with_fraction(low_whole, lower, upper, budget)
        return
    yield from _with_fraction(low_whole, lower, None, budget)
    if low_whole + 1 <= high_whole - 1:
        whole = " | ".join(_magnitudes(low_whole + 1, high_whole - 1))
        yield f'({whole}) ("." [0-9]{{1,{budget}}})?'
    yield from _with_fraction(high_whole, None, upper, budget)


class _Bound:
    """A bound of a fraction: its digits without zeros at the end, and whether it is open."""

    def __init__(self, digits: str, is_open: bool) -> None:
        self.digits = digits
        self.is_open = is_open

    @property
    def first(self) -> int:
        return int(self.digits[:1] or "0")

    def after(self, digit: int) -> "_Bound | None":
        """Return what still bounds the digits behind this one."""
        return _Bound(self.digits[1:], self.is_open) if digit == self.first else None


def _with_fraction(
    whole: int, lower: _Bound | None, upper: _Bound | None, budget: int
) -> Iterator[str]:
    tail = _fraction(lower, upper, budget)
    if _may_end(lower, upper):
        yield f'"{whole}"' + (f' ("." ({tail}))?' if tail else "")
    elif tail:
        yield f'"{whole}" "." ({tail})'


def _may_end(lower: _Bound | None, upper: _Bound | None) -> bool:
    """Return whether the digits so far, with nothing but zeros behind them, are in bounds."""
    above = lower is None or (not lower.digits and not lower.is_open)
    below = upper is None or bool(upper.digits) or not upper.is_open
    return above and below


def _fraction(lower: _Bound | None, upper: _Bound | None, budget: int) -> str:
    """Return the rule of one digit and more that keep the bounds, or nothing if there are none."""
    if budget == 0:
        return ""
    if lower is not None and not lower.digits and not lower.is_open:
        lower = None
    if lower is None and upper is None:
        return f"[0-9]{{1,{budget}}}"
    low, high = (lower.first if lower else 0), (upper.first if upper else 9)
    options = []
    for digit in range(low, high + 1):
        inner = (lower and lower.after(digit), upper and upper.after(digit))
        tail = _fraction(*inner, budget - 1)
        if _may_end(*inner):
            options.append(f"[{digit}]" + (f" ({tail})?" if tail else ""))
        elif tail:
            options.append(f"[{digit}] ({tail})")
    return " | ".join(options)


def _split(value: Decimal) -> tuple[int, str]:
    whole, _, digits = f"{value:f}".partition(".")
    return int(whole), digits.rstrip("0")
