"""Reads one scalar of the proto3 JSON mapping, in any of the spellings that protobuf accepts.

A number may come as a string, a whole number with a fraction of zero, bytes in either base64
alphabet, an enum as its number. What comes out is what the strict decoder would take.
"""

import base64
import binascii
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Any

from msgspec import inspect

TYPE_PREFIX = "type.googleapis.com/google.ai.generativelanguage.v1beta."

# Where the proto name is not the name of the class.
PROTO_NAMES = {
    "HarmBlockThreshold": "SafetySetting.HarmBlockThreshold",
    "FileMetadata": "File",
    "Behavior": "FunctionDeclaration.Behavior",
    "Scheduling": "FunctionResponse.Scheduling",
    "Mode": "FunctionCallingConfig.Mode",
}

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_INTEGER = re.compile(r"-?[0-9]{1,19}")
_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}")
_TO_STANDARD = str.maketrans("-_", "+/", " \t\n\v\f\r")


@dataclass(frozen=True, slots=True)
class Scalar:
    """A kind of scalar: its name in Google's errors, and its reader, which raises ValueError."""

    type_name: str
    read: Callable[[Any], Any]


def proto_type(cls: type) -> str:
    """Return the type URL of a message or an enum, as errors name it."""
    return TYPE_PREFIX + PROTO_NAMES.get(cls.__name__, cls.__name__)


def scalar_of(kind: inspect.Type) -> Scalar | None:
    """Return how a value of this type is read, or None if the type is no scalar."""
    match kind:
        case inspect.StrType(pattern=str()):
            # `message.Int64` is the only string with a pattern.
            return Scalar("TYPE_INT64", _read_int64)
        case inspect.EnumType(cls=cls):
            return Scalar(proto_type(cls), partial(_read_enum, tuple(cls)))
        case _:
            return _SCALARS.get(type(kind))


def _read_string(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise ValueError


def _read_integer(value: Any, bits: int) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        number = value
    elif isinstance(value, str) and _INTEGER.fullmatch(value):
        number = int(value)
    else:
        fraction = _read_float(value)
        if not fraction.is_integer():
            raise ValueError
        number = int(fraction)
    if not -(1 << bits - 1) <= number < 1 << bits - 1:
        raise ValueError
    return number


def _read_int64(value: Any) -> str:
    return str(_read_integer(value, bits=64))


def _read_float(value: Any) -> float:
    # "NaN" and "Infinity", which protobuf takes, would slip through every check of a range.
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number and not (isinstance(value, str) and _NUMBER.fullmatch(value)):
        raise ValueError
    try:
        number = float(value)
    except OverflowError as error:
        raise ValueError from error
    if math.isinf(number):
        raise ValueError
    return number


def _read_bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if value in ("true", "false"):
        return bool(value == "true")
    raise ValueError


def _read_bytes(value: Any) -> bytes:
    # The command line tool `base64` breaks lines, and Google's decoder skips white space.
    text = _read_string(value).translate(_TO_STANDARD)
    if not _BASE64.fullmatch(text):
        raise ValueError
    text = text.rstrip("=")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error as error:
        raise ValueError from error


def _read_enum(members: tuple[Enum, ...], value: Any) -> str:
    """Return the name; a number is the position, for enums are declared in proto order."""
    if isinstance(value, str):
        # The front end reads names of enums in either case.
        for member in members:
            if member.value.upper() == value.upper():
                return str(member.value)
        raise ValueError
    number = _read_integer(value, bits=32)
    if not 0 <= number < len(members):
        raise ValueError
    return str(members[number].value)


_SCALARS = {
    inspect.StrType: Scalar("TYPE_STRING", _read_string),
    inspect.IntType: Scalar("TYPE_INT32", partial(_read_integer, bits=32)),
    inspect.FloatType: Scalar("TYPE_FLOAT", _read_float),
    inspect.BoolType: Scalar("TYPE_BOOL", _read_bool),
    inspect.BytesType: Scalar("TYPE_BYTES", _read_bytes),
}
