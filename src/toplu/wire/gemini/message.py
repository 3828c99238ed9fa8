"""What every Gemini wire message has in common.

A field is named in proto snake_case here and in lowerCamelCase on the wire. An absent field
is None and is left out when written. Each message repeats `frozen=True, kw_only=True`, because
type checkers and msgspec do not inherit them. The decoder that msgspec makes of a message is the
strict, fast reader; `wire.gemini.proto_json` is the lenient one, for the same types.
"""

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
    """Return the message as JSON, with default values left out."""
    return _encoder.encode(message)
