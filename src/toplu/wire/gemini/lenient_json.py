"""Reads JSON as Google's front end does: also what strict readers refuse and people write.

Beyond strict JSON it takes single quotes, bare keys, trailing commas, raw control characters and
unknown escapes. Comments, octal and hexadecimal numbers, NaN and Infinity stay errors. The texts
of the errors are Google's, down to the caret.
"""

import math
import re
from typing import Any

from toplu.errors import FieldViolation, InvalidArgument

NESTING_MAX = 100
CONTEXT_LENGTH = 20  # characters quoted on either side of a fault
PREFIX = "Invalid JSON payload received. "

_SPACE = re.compile(r"[ \t\n\v\f\r]*")
_BARE_KEY = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})(?![-+.0-9eEx])")
_NUMBER = re.compile(r"[-+.0-9eEx]+")
_OCTAL_OR_HEX = re.compile(r"-?0[0-9x]")
# Possessive repeats keep no way back, so a string of many escapes needs no memory per escape.
_STRING_BODY = {
    '"': re.compile(r'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL),
    "'": re.compile(r"[^'\\]*+(?:\\.[^'\\]*+)*+", re.DOTALL),
}
_ESCAPE = re.compile(
    r"\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})|\\u([0-9a-fA-F]{4})|\\(.)",
    re.DOTALL,
)
_SURROGATES = range(0xD800, 0xE000)
_HIGH_SURROGATES = range(0xD800, 0xDC00)
_ESCAPED = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_STRICT_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_TO_SQUARE = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")
_NUMBER_STARTS = frozenset("-0123456789")
_PUNCTUATION = frozenset("}]:,")
_KEYWORDS = {"true": True, "false": False, "null": None}


def parse(text: bytes) -> Any:
    """Return the value, `{}` for a blank text, or raise InvalidArgument that shows the place."""
    try:
        decoded = text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        readable = text.decode("utf-8", "replace")
        position = len(text[: error.start].decode("utf-8"))
        raise _fault(readable, position, "Encountered non UTF-8 code points.") from error
    return _Reader(decoded).read_document()


def _fault(text: str, position: int, reason: str) -> InvalidArgument:
    start = max(position - CONTEXT_LENGTH, 0)
    context = text[start : position + CONTEXT_LENGTH]
    caret = " " * (position - start) + "^"
    description = f"{PREFIX}{reason}\n{context}\n{caret}"
    return InvalidArgument.of_fields([FieldViolation("", description)])


def is_too_deep(text: bytes) -> bool:
    """Tell whether `text`, which must be strict JSON, nests deeper than Google allows.

    msgspec has no such limit of its own, and what it reads is written again later, from deeper
    in the stack.
    """
    if text.count(b"[") + text.count(b"{") <= NESTING_MAX:
        return False
    brackets = _STRICT_STRING.sub(b"", text).translate(_TO_SQUARE, delete=_NO_BRACKETS)
    for _ in range(NESTING_MAX):
        brackets = brackets.replace(b"[]", b"")  # takes off the innermost level everywhere
        if not brackets:
            return False
    return True


class _Reader:
    """A text and how far it has been read."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0
        self._depth = 0
        self._key = ""  # the one read last, for the message about nesting

    def read_document(self) -> Any:
        if not self._peek():
            return {}
        value = self._read_value("Expected a value.")
        if self._peek():
            raise self._fault("Parsing terminated before end of input.")
        return value

    def _peek(self) -> str:
        """Return the next character that is no whitespace, or "" at the end."""
        character = self._text[self._position : self._position + 1]
        if character > " ":
            return character
        space = _SPACE.match(self._text, self._position)
        assert space is not None, "an empty match is a match"
        self._position = space.end()
        return self._text[self._position : self._position + 1]

    def _fault(self, reason: str) -> InvalidArgument:
        return _fault(self._text, self._position, reason)

    def _bad_token(self, reason: str) -> InvalidArgument:
        at_end = self._position == len(self._text)
        return self._fault(f"Unexpected end of string. {reason}" if at_end else reason)

    def _read_value(self, expectation: str) -> Any:
        character = self._peek()
        if character in _STRING_BODY:
            return self._read_string(character)
        if character in _NUMBER_STARTS:
            return self._read_number()
        if character == "{":
            return self._read_object()
        if character == "[":
            return self._read_array()
        for keyword, value in _KEYWORDS.items():
            if self._text.startswith(keyword, self._position):
                self._position += len(keyword)
                return value
        # Google's reader has two errors: a token in the wrong place, and what is no token.
        if character in _PUNCTUATION or _BARE_KEY.match(character):
            raise self._fault("Unexpected token.")
        raise self._bad_token(expectation)

    def _enter(self) -> None:
        self._depth += 1
        if self._depth > NESTING_MAX:
            key = self._key[:CONTEXT_LENGTH]
            raise self._fault(f"Message too deep. Max recursion depth reached for key '{key}'")
        self._position += 1

    def _leave(self) -> None:
        self._depth -= 1
        self._position += 1

    def _read_object(self) -> dict[str, Any]:
        self._enter()
        members: dict[str, Any] = {}
        while (character := self._peek()) != "}":
            key = self._key = self._read_key(character)
            if self._peek() != ":":
                raise self._bad_token("Expected : between key:value pair.")
            self._position += 1
            members[key] = self._read_value("Expected a value.")
            character = self._peek()
            if character == ",":
                self._position += 1
            elif character != "}":
                raise self._bad_token("Expected , or } after key:value pair.")
        self._leave()
        return members

    def _read_key(self, character: str) -> str:
        if character in _STRING_BODY:
            return self._read_string(character)
        bare = _BARE_KEY.match(self._text, self._position)
        if bare is None or bare[0] in _KEYWORDS:
            raise self._bad_token("Expected an object key or }.")
        self._position = bare.end()
        return bare[0]

    def _read_array(self) -> list[Any]:
        self._enter()
        items: list[Any] = []
        while self._peek() != "]":
            items.append(self._read_value("Expected a value or ] within an array."))
            character = self._peek()
            if character == ",":
                self._position += 1
            elif character != "]":
                raise self._bad_token("Expected , or ] after array value.")
        self._leave()
        return items

    def _read_string(self, quote: str) -> str:
        body = _STRING_BODY[quote].match(self._text, self._position + 1)
        assert body is not None, "an empty match is a match"
        if not self._text.startswith(quote, body.end()):
            self._position = len(self._text)
            raise self._fault("Closing quote expected in string.")
        start, self._position = self._position + 1, body.end() + 1
        if "\\" not in body[0]:
            return body[0]
        return _ESCAPE.sub(lambda escape: self._unescape(escape, start), body[0])

    def _unescape(self, escape: re.Match[str], start: int) -> str:
        high, low, single, character = escape.groups()
        if high is not None:
            return chr(0x10000 + ((int(high, 16) & 0x3FF) << 10) + (int(low, 16) & 0x3FF))
        if single is None and character != "u":
            return _ESCAPED.get(character, character)
        code_point = int(single, 16) if single is not None else None
        if code_point is not None and code_point not in _SURROGATES:
            return chr(code_point)
        self._position = start + escape.start()
        if code_point is None:
            raise self._fault("Illegal hex string.")
        if code_point in _HIGH_SURROGATES:
            raise self._fault("Missing low surrogate.")
        raise self._fault("Invalid unicode code point.")

    def _read_number(self) -> int | float:
        if integer := _INTEGER.match(self._text, self._position):
            self._position = integer.end()
            return int(integer[0])
        token = _NUMBER.match(self._text, self._position)
        assert token is not None, "the first character is a digit or a minus"
        if _OCTAL_OR_HEX.match(token[0]):
            raise self._fault("Octal/hex numbers are not valid JSON values.")
        try:
            value = float(token[0])
        except ValueError as error:
            raise self._fault("Unable to parse number.") from error
        if math.isinf(value):
            raise self._fault("Number exceeds the range of double.")
        self._position = token.end()
        return value if any(mark in token[0] for mark in ".eE") else int(token[0])
