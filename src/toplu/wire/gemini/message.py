"""The base of every Gemini wire message, and the one writer of JSON.

A field is named in proto snake_case here and in lowerCamelCase on the wire. An absent field
is None and is left out when written. Each message repeats `frozen=True, kw_only=True`, because
type checkers and msgspec do not inherit them. The decoder that msgspec makes of a message is the
strict, fast reader; `wire.gemini.proto_json` is the lenient one, for the same types.

`write` is the one writer of everything that clients read as JSON, lines and events included.
"""

import json
from typing import Annotated, Any

import msgspec

# proto3 JSON writes 64-bit integers as strings, and reads strings and numbers.
Int64 = Annotated[str, msgspec.Meta(pattern=r"^-?[0-9]{1,19}$")]

# A google.protobuf.Struct, or any value whose keys are the user's own.
FreeForm = dict[str, Any]


class Message(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    forbid_unknown_fields=True,
    rename="camel",
):
    """One proto message in its JSON form."""


# A response of ours, or one that was relayed: as a server gave it, whatever it has.
Response = Message | FreeForm

_encoder = msgspec.json.Encoder()


def write(message: Any) -> bytes:
    """Return the message as JSON on one line, with default values left out."""
    try:
        text = _encoder.encode(message)
    except UnicodeEncodeError:
        # Half a surrogate pair, out of an engine: a mark in the text, and not a lost result.
        value = msgspec.to_builtins(message)
        marked = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        text = marked.encode("utf-8", "replace")
    return on_one_line(text)


# U+0085, U+2028 and U+2029 in UTF-8: with LF and CR, which JSON escapes by itself, all at which
# common readers of lines break (str.splitlines, JavaScript, Java's Scanner, .NET's line endings).
LINE_BREAKS = {
    b"\xc2\x85": rb"\u0085",
    b"\xe2\x80\xa8": rb"\u2028",
    b"\xe2\x80\xa9": rb"\u2029",
}


def on_one_line(text: bytes) -> bytes:
    """Return the same JSON with every character escaped at which a reader might break the line.

    They stand in strings alone, and no other character has their bytes.
    """
    for character, escape in LINE_BREAKS.items():
        text = text.replace(character, escape)
    return text
