"""The MIME types of documents, and the way to read each.

Source code has many names and no list of them: any `text/x-…` is text. The suffixes are those of
RFC 6838, which say what a type is made of.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from toplu.documents.fault import DocumentFault


class Reading(StrEnum):
    """The ways from bytes to text."""

    TEXT = "TEXT"
    XML = "XML"  # as it stands, but it may name its own charset
    HTML = "HTML"
    PDF = "PDF"
    RTF = "RTF"


EXACT: dict[str, Reading] = {
    "text/plain": Reading.TEXT,
    "text/markdown": Reading.TEXT,
    "text/csv": Reading.TEXT,
    "text/tab-separated-values": Reading.TEXT,
    "text/css": Reading.TEXT,
    "text/javascript": Reading.TEXT,
    "text/ecmascript": Reading.TEXT,
    "text/typescript": Reading.TEXT,
    "text/yaml": Reading.TEXT,
    "text/calendar": Reading.TEXT,
    "text/vcard": Reading.TEXT,
    "text/vtt": Reading.TEXT,
    "text/srt": Reading.TEXT,
    "application/x-subrip": Reading.TEXT,
    "text/json": Reading.TEXT,
    "application/json": Reading.TEXT,
    "application/jsonl": Reading.TEXT,
    "application/x-jsonlines": Reading.TEXT,
    "application/x-ndjson": Reading.TEXT,
    "application/csv": Reading.TEXT,
    "application/yaml": Reading.TEXT,
    "application/x-yaml": Reading.TEXT,
    "application/toml": Reading.TEXT,
    "application/sql": Reading.TEXT,
    "application/javascript": Reading.TEXT,
    "application/x-javascript": Reading.TEXT,
    "application/ecmascript": Reading.TEXT,
    "application/typescript": Reading.TEXT,
    "application/x-typescript": Reading.TEXT,
    "application/x-python": Reading.TEXT,
    "application/x-python-code": Reading.TEXT,
    "application/x-httpd-php": Reading.TEXT,
    "application/x-sh": Reading.TEXT,
    "application/x-csh": Reading.TEXT,
    "application/x-shellscript": Reading.TEXT,
    "application/x-tex": Reading.TEXT,
    "application/x-latex": Reading.TEXT,
    "jsonl": Reading.TEXT,  # what the specification uploads its lines as
    "text/xml": Reading.XML,
    "application/xml": Reading.XML,
    "text/html": Reading.HTML,
    "application/xhtml+xml": Reading.HTML,
    "application/pdf": Reading.PDF,
    "application/x-pdf": Reading.PDF,
    "text/rtf": Reading.RTF,
    "application/rtf": Reading.RTF,
    "application/x-rtf": Reading.RTF,
    "text/x-rtf": Reading.RTF,
}

BY_SUFFIX: dict[str, Reading] = {
    "+json": Reading.TEXT,
    "+yaml": Reading.TEXT,
    "+xml": Reading.XML,
}

UNSERVED = {
    "audio/": "this server does not serve audio",
    "video/": "this server does not serve video",
}

LENGTH_MAX = 255
SOURCE_CODE = "text/x-"
UNKNOWN = frozenset({"", "application/octet-stream", "binary/octet-stream"})
SHAPE = re.compile(r"[\w!#$&^.+-]{1,127}(/[\w!#$&^.+-]{1,127})?", re.ASCII)
CHARSET = re.compile(
    r";\s*charset\s*=\s*\"?([\w.:+-]{1,40})\"?\s*(?:;|$)", re.ASCII | re.IGNORECASE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaType:
    """A MIME type that is read here."""

    name: str  # lower case, without parameters
    reading: Reading
    charset: str | None  # as the MIME type names it


def read_media_type(mime_type: str) -> MediaType:
    """Return how a document of that type is read, or raise DocumentFault if it is not."""
    name = name_of(mime_type)
    for beginning, reason in UNSERVED.items():
        if name.startswith(beginning) and SHAPE.fullmatch(name):
            raise DocumentFault(f"is {name}, and {reason}.", unserved=True)
    reading = _reading_of(name)
    if reading is None:
        shown = name[:80].encode("ascii", "backslashreplace").decode()
        raise DocumentFault(f"Unsupported MIME type: {shown}")
    charset = CHARSET.search(mime_type[:LENGTH_MAX])
    return MediaType(name=name, reading=reading, charset=charset[1] if charset else None)


def name_of(mime_type: str) -> str:
    """Return the type in lower case, without its parameters."""
    return mime_type.partition(";")[0].strip().lower()


def is_known(mime_type: str | None) -> bool:
    """Return whether the type says anything about the bytes."""
    return name_of(mime_type or "") not in UNKNOWN


def _reading_of(name: str) -> Reading | None:
    if name in EXACT:
        return EXACT[name]
    if SHAPE.fullmatch(name) is None:
        return None
    if name.startswith(SOURCE_CODE):
        return Reading.TEXT
    return next((how for suffix, how in BY_SUFFIX.items() if name.endswith(suffix)), None)
