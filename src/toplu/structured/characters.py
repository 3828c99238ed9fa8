"""Characters in GBNF: texts between quotes, and the characters that a JSON string may have."""

import json

from toplu.structured.pattern import Ranges, complement
from toplu.structured.shape import SchemaFault

# What may stand in a JSON string as it is; and every escape but \u, for a model that writes half
# a surrogate pair with one would write no text.
CHARACTER = r'[^"\\\x00-\x1F\x7F] | "\\" ["\\bfnrt]'
NOT_RAW: Ranges = ((0x00, 0x1F), (0x22, 0x22), (0x5C, 0x5C), (0x7F, 0x7F), (0xD800, 0xDFFF))
SHORT_ESCAPES = {0x22, 0x5C, 0x08, 0x0C, 0x0A, 0x0D, 0x09}
BLANK, ASCII_MAX, LATIN_MAX, PLANE_MAX = 0x20, 0x7F, 0xFF, 0xFFFF
ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def quote(text: str) -> str:
    """Return the text as a literal of a grammar."""
    return '"' + "".join(_literal(sign) for sign in text) + '"'


def character_rule(ranges: Ranges, path: str) -> str:
    """Return the rule of one character of these ranges in a JSON string."""
    raw = _without(ranges, NOT_RAW)
    classes = "".join(
        _code(low) if low == high else f"{_code(low)}-{_code(high)}" for low, high in raw
    )
    escaped = [
        quote(json.dumps(chr(code))[1:-1])
        for low, high in ((0x00, 0x1F), (0x22, 0x22), (0x5C, 0x5C), (0x7F, 0x7F))
        for code in range(low, high + 1)
        if any(first <= code <= last for first, last in ranges)
        # In a class of nearly everything, nobody means the controls that have no short escape.
        and (code in SHORT_ESCAPES or not raw)
    ]
    options = [f"[{classes}]"] if classes else []
    if not options and not escaped:
        raise SchemaFault(path, "has a pattern that no text matches.")
    return " | ".join([*options, *escaped])


def _without(ranges: Ranges, taken: Ranges) -> Ranges:
    """Return the ranges, merged, but for what is taken."""
    kept = []
    for low, high in complement((*complement(ranges), *taken)):
        kept.append((low, high))
    return tuple(kept)


def _literal(sign: str) -> str:
    if sign in ESCAPES:
        return ESCAPES[sign]
    return f"\\x{ord(sign):02X}" if ord(sign) < BLANK or ord(sign) == ASCII_MAX else sign


def _code(code: int) -> str:
    if code <= ASCII_MAX and chr(code).isalnum():
        return chr(code)
    if code <= LATIN_MAX:
        return f"\\x{code:02X}"
    return f"\\u{code:04X}" if code <= PLANE_MAX else f"\\U{code:08X}"
