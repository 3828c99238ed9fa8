r"""Reads a regular expression, as far as a grammar can follow it.

The dialect is the part of ECMA-262 that Python reads alike: literals, classes, groups,
alternatives and counted repetition; `^` at the beginning and `$` at the end. Without them the
match may stand anywhere. Absent are look-around, references back, `\b` and `\p`.
"""

from toplu.structured.pattern import (
    UNICODE_MAX,
    Characters,
    Either,
    Joined,
    Pattern,
    PatternFault,
    Ranges,
    Repeated,
    complement,
    shortest_length,
)

LENGTH_MAX = 1000  # of the expression
DEPTH_MAX = 30  # of groups in groups
ASCII_MAX = 0x7F
COUNT_MAX = 1_000_000
COUNT_DIGITS_MAX = 9

DIGIT: Ranges = ((0x30, 0x39),)
WORD: Ranges = ((0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A))
SPACE: Ranges = ((0x09, 0x0D), (0x20, 0x20))
LINE_ENDS: Ranges = ((0x0A, 0x0A), (0x0D, 0x0D), (0x2028, 0x2029))
CLASSES = {"d": DIGIT, "w": WORD, "s": SPACE}
CONTROLS = {"n": 0x0A, "r": 0x0D, "t": 0x09, "f": 0x0C, "v": 0x0B, "0": 0x00}
HEX_LENGTHS = {"x": 2, "u": 4}


ANY_TEXT = Repeated(Characters(((0, UNICODE_MAX),)), 0, None)


def read_pattern(expression: str) -> Pattern:
    """Return the pattern of whole texts in which the expression is found, or raise PatternFault."""
    if len(expression) > LENGTH_MAX:
        raise PatternFault(f"is longer than {LENGTH_MAX} characters")
    return _Reader(expression).read()


class _Reader:
    """One pass over an expression."""

    def __init__(self, expression: str) -> None:
        self._text = expression
        self._at = 0
        self._depth = 0

    def read(self) -> Pattern:
        options = [self._whole_option()]
        while self._take("|"):
            options.append(self._whole_option())
        if self._at < len(self._text):
            raise PatternFault(f"has a `)` too many at character {self._at + 1}")
        return _either(options)

    def _whole_option(self) -> Pattern:
        """Read one alternative of the outermost level, which alone may be anchored."""
        before = () if self._take("^") else (ANY_TEXT,)
        part = self._sequence()
        after = () if self._take("$") else (ANY_TEXT,)
        return _joined((*before, part, *after))

    def _alternatives(self) -> Pattern:
        options = [self._sequence()]
        while self._take("|"):
            options.append(self._sequence())
        return _either(options)

    def _sequence(self) -> Pattern:
        parts: list[Pattern] = []
        while self._peek() not in ("", "|", ")"):
            if (
                self._peek() == "$"
                and self._depth == 0
                and self._text[self._at + 1 :][:1] in ("", "|")
            ):
                break
            parts.append(self._repeats(self._atom()))
        return _joined(tuple(parts))

    def _repeats(self, part: Pattern) -> Pattern:
        counts = self._counts()
        if counts is None:
            return part
        fewest, most = counts
        self._take("?")  # it matches the same texts, whether greedy or not
        if self._peek() in ("*", "+", "?", "{"):
            raise PatternFault(f"repeats a repetition at character {self._at + 1}")
        if (most is not None and most < fewest) or max(fewest, most or 0) > COUNT_MAX:
            raise PatternFault(f"has a count that is none before character {self._at + 1}")
        if most != 1 and shortest_length(part) == 0:
            raise PatternFault(f"repeats what may be empty before character {self._at + 1}")
        return Repeated(part, fewest, most)

    def _counts(self) -> tuple[int, int | None] | None:
        for sign, counts in (("*", (0, None)), ("+", (1, None)), ("?", (0, 1))):
            if self._take(sign):
                return counts
        if not self._take("{"):
            return None
        body, closed, _ = self._text[self._at :].partition("}")
        low, comma, high = body.partition(",")
        if not closed or not _is_count(low) or not (_is_count(high) or not high):
            raise PatternFault(f"has a `{{` that begins no count at character {self._at}")
        self._at += len(body) + 1
        if not comma:
            return int(low), int(low)
        return int(low), int(high) if high else None

    def _atom(self) -> Pattern:
        sign = self._next()
        match sign:
            case "(":
                return self._group()
            case "[":
                return self._class()
            case ".":
                return Characters(complement(LINE_ENDS))
            case "\\":
                return Characters(self._escape())
            case "^" | "$":
                raise PatternFault(f"has `{sign}` in the middle, at character {self._at}")
            case "*" | "+" | "?" | "{" | "]" | "}":
                raise PatternFault(f"has a loose `{sign}` at character {self._at}")
            case _:
                return Characters(((ord(sign), ord(sign)),))

    def _group(self) -> Pattern:
        if self._take("?") and not self._take(":"):
            raise PatternFault(f"has a group of a kind that is not served, at {self._at}")
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise PatternFault("has too many groups in groups")
        inner = self._alternatives()
        self._depth -= 1
        if not self._take(")"):
            raise PatternFault("has a `(` without its `)`")
        return inner

    def _class(self) -> Pattern:
        negated = self._take("^")
        ranges: list[tuple[int, int]] = []
        while not self._take("]"):
            low = self._class_item()
            is_range = self._peek() == "-" and self._text[self._at + 1 :][:1] not in ("]", "")
            if is_range and self._take("-"):
                high = self._class_item()
                if len(low) != 1 or len(high) != 1 or low[0][0] > high[0][0]:
                    raise PatternFault(f"has a range that is none at character {self._at}")
                low = ((low[0][0], high[0][1]),)
            ranges += low
        chosen = complement(tuple(ranges)) if negated else tuple(ranges)
        if not chosen:
            raise PatternFault("has a class without a character")
        return Characters(chosen)

    def _class_item(self) -> Ranges:
        sign = self._next()
        if sign == "\\":
            return self._escape()
        if sign == "[" and self._peek() == ":":
            raise PatternFault("has a named class, which is not served")
        return ((ord(sign), ord(sign)),)

    def _escape(self) -> Ranges:
        sign = self._next()
        if sign in CLASSES:
            return CLASSES[sign]
        if sign.lower() in CLASSES:
            # What is no letter or space in ASCII; dialects differ about the rest.
            return tuple(
                (low, min(high, ASCII_MAX))
                for low, high in complement(CLASSES[sign.lower()])
                if low <= ASCII_MAX
            )
        if sign in CONTROLS:
            return ((CONTROLS[sign], CONTROLS[sign]),)
        if sign in HEX_LENGTHS:
            digits = self._text[self._at : self._at + HEX_LENGTHS[sign]]
            self._at += len(digits)
            try:
                code = int(digits, 16)
            except ValueError:
                code = -1
            if len(digits) < HEX_LENGTHS[sign] or code < 0:
                raise PatternFault(f"has an escape that is none at character {self._at}")
            return ((code, code),)
        if sign.isalnum():
            raise PatternFault(f"has `\\{sign}`, which is not served")
        return ((ord(sign), ord(sign)),)

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _next(self) -> str:
        sign = self._peek()
        if not sign:
            raise PatternFault("ends in the middle")
        self._at += 1
        return sign

    def _take(self, sign: str) -> bool:
        if self._peek() != sign:
            return False
        self._at += 1
        return True


def _joined(parts: tuple[Pattern, ...]) -> Pattern:
    return parts[0] if len(parts) == 1 else Joined(parts)


def _either(options: list[Pattern]) -> Pattern:
    return options[0] if len(options) == 1 else Either(tuple(options))


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= COUNT_DIGITS_MAX
