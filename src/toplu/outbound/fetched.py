"""An input on its way here, wherever it comes from."""

import mimetypes
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from toplu.errors import InvalidArgument
from toplu.wire.gemini.batch import InputOrigin


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """The bytes of an address, with what was said of them."""

    origin: InputOrigin
    mime_type: str | None
    chunks: AsyncIterator[bytes]


def guessed_type(uri: str) -> str | None:
    """Return the type that the end of the path stands for."""
    return mimetypes.guess_type(urlsplit(uri).path)[0]


def too_large(uri: str, bytes_max: int) -> InvalidArgument:
    """Return the error of an input with more bytes than are fetched."""
    return InvalidArgument(f"{uri} has more than {bytes_max} bytes.")
