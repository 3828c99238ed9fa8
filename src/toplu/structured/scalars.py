"""Reads the keywords of strings and numbers in a JSON Schema."""

import math
from decimal import Decimal
from typing import Any

from toplu.structured.keywords import FORMATS
from toplu.structured.pattern import PatternFault, within
from toplu.structured.pattern_reader import read_pattern
from toplu.structured.shape import Integer, Matched, Number, SchemaFault, Shape, Text

DIGITS_MAX = 15  # of a number: as many as every reader of JSON keeps
LIMIT = 10**DIGITS_MAX


def read_text(schema: dict[str, Any], path: str) -> Shape:
    """Return the shape of a string."""
    shortest = count_of(schema, "minLength", path) or 0
    longest = count_of(schema, "maxLength", path)
    if longest is not None and longest < shortest:
        raise SchemaFault(f"{path}.maxLength", "is less than minLength.")
    expression, keyword = schema.get("pattern"), "pattern"
    form = FORMATS.get(str(schema.get("format")))
    if form is not None:
        if expression is not None:
            raise SchemaFault(f"{path}.pattern", f"cannot stand beside {schema['format']!r}.")
        expression, keyword = form, "format"
    if expression is None:
        return Text(shortest, longest)
    if not isinstance(expression, str):
        raise SchemaFault(f"{path}.pattern", "must be a string.")
    try:
        return Matched(within(read_pattern(expression), shortest, longest))
    except PatternFault as fault:
        raise SchemaFault(f"{path}.{keyword}", f"{fault}.") from None


def read_number(schema: dict[str, Any], path: str, *, whole: bool) -> Shape:
    """Return the shape of a number; what is said keeps within fifteen digits."""
    if "multipleOf" in schema and not (whole and schema["multipleOf"] == 1):
        raise SchemaFault(f"{path}.multipleOf", "is not supported in a schema.")
    low, low_open = _bound(schema, "minimum", "exclusiveMinimum", path, sign=1)
    high, high_open = _bound(schema, "maximum", "exclusiveMaximum", path, sign=-1)
    if whole:
        return _integer(schema, path, (low, low_open), (high, high_open))
    for name, bound in (("minimum", low), ("maximum", high)):
        if bound is not None and _digits(bound) > DIGITS_MAX - 1:
            raise SchemaFault(f"{path}.{name}", f"has more than {DIGITS_MAX - 1} digits.")
    if (
        low is not None
        and high is not None
        and (low > high or (low == high and (low_open or high_open)))
    ):
        raise SchemaFault(f"{path}.maximum", "leaves no number above the minimum.")
    return Number(low=low, low_open=low_open, high=high, high_open=high_open)


def _digits(bound: Decimal) -> int:
    return len(f"{bound.normalize():f}".lstrip("-").replace(".", ""))


def _integer(
    schema: dict[str, Any],
    path: str,
    lower: tuple[Decimal | None, bool],
    upper: tuple[Decimal | None, bool],
) -> Shape:
    low = None if lower[0] is None else math.floor(lower[0]) + 1
    if lower[0] is not None and not lower[1] and lower[0] == math.floor(lower[0]):
        low = int(lower[0])
    high = None if upper[0] is None else math.ceil(upper[0]) - 1
    if upper[0] is not None and not upper[1] and upper[0] == math.ceil(upper[0]):
        high = int(upper[0])
    if schema.get("format") == "int32":
        low = max(-(2**31), -LIMIT if low is None else low)
        high = min(2**31 - 1, LIMIT if high is None else high)
    if low is not None and high is not None and low > high:
        raise SchemaFault(f"{path}.maximum", "leaves no whole number above the minimum.")
    return Integer(low, high)


def _bound(
    schema: dict[str, Any], name: str, exclusive: str, path: str, *, sign: int
) -> tuple[Decimal | None, bool]:
    """Return the narrower of the two bounds, and whether it is open; None if it has no say."""
    bounds = [
        (_decimal(schema[key], f"{path}.{key}"), key == exclusive)
        for key in (name, exclusive)
        if schema.get(key) is not None
    ]
    if not bounds:
        return None, False
    bound, is_open = max(bounds, key=lambda entry: (sign * entry[0], entry[1]))
    if sign * bound <= -LIMIT:
        return None, False  # no number that is said lies beyond it
    if sign * bound >= LIMIT:
        raise SchemaFault(f"{path}.{name}", f"must be within {DIGITS_MAX} digits.")
    return bound, is_open


def _decimal(value: Any, path: str) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise SchemaFault(path, "must be a number.")
    return Decimal(str(value))


def count_of(schema: dict[str, Any], name: str, path: str) -> int | None:
    """Return a bound that is a count, if it is given."""
    value = schema.get(name)
    if value is None:
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise SchemaFault(f"{path}.{name}", "must be a whole number that is not negative.")
    return value
