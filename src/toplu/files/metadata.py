"""Checks the names and fields that clients give their files."""

import re
from dataclasses import dataclass
from datetime import timedelta

from toplu.errors import FieldViolation, InvalidArgument
from toplu.idempotency import IdempotencyKey

ID_LENGTH_MAX = 40
DISPLAY_NAME_LENGTH_MAX = 512
MIME_TYPE_LENGTH_MAX = 255
UNKNOWN_MIME_TYPE = "application/octet-stream"

ID = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
# Ids of results files follow from ids of batches; nobody may take one before the batch ends.
RESULTS_ID = re.compile(r"batch-[a-z0-9]{34}")
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
# The top-level types of IANA's registry, two that are in use without it, and experimental ones.
TOP_LEVEL = (
    "application|audio|example|font|haptics|image|message|model|multipart|text|video"
    "|binary|chemical|x-[\\w-]+"
)
# A bare word, such as `jsonl`, is no MIME type; the hosted service takes it, and so do scripts.
MIME_TYPE = re.compile(
    rf"(?i:{TOP_LEVEL})/[\w!#$%&'*+.^`|~-]+( *;.*)?|[\w!#$%&'*+.^`|~-]+", re.ASCII
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileTerms:
    """The wishes of a client for a file, besides its name and type."""

    purpose: str | None = None
    life: timedelta | None = None  # None: as the settings say
    origin: bytes | None = None  # of bytes that were fetched: the InputOrigin, as JSON
    key: IdempotencyKey | None = None  # without the file's own part of its fingerprint


PLAIN_TERMS = FileTerms()


def id_of(name: str) -> str:
    """Return the id that a name or a URI of a file ends with, or raise if it is too long."""
    file_id = name.rpartition("files/")[2]
    if len(file_id) > ID_LENGTH_MAX:
        raise _too_long("GetFileRequest.name")
    return file_id


def new_id_of(name: str) -> str:
    """Return the id that a client wants for a file to come, or raise if it cannot be one."""
    file_id = name.removeprefix("files/")
    if len(file_id) > ID_LENGTH_MAX:
        raise _too_long("CreateFileRequest.file.name")
    if ID.fullmatch(file_id) is None:
        raise _violation(
            "CreateFileRequest.file.name",
            "File ID (name excluding 'files/') may only have lowercase letters, digits and "
            "dashes, and must not begin or end with a dash.",
        )
    if RESULTS_ID.fullmatch(file_id) is not None:
        raise _violation(
            "CreateFileRequest.file.name", "this name is kept for the results of a batch."
        )
    return file_id


def checked_display_name(display_name: str | None) -> str | None:
    """Return the display name, or raise if it is too long."""
    if display_name is not None and len(display_name) > DISPLAY_NAME_LENGTH_MAX:
        raise _violation(
            "CreateFileRequest.file.display_name",
            f"display name cannot be more than {DISPLAY_NAME_LENGTH_MAX} characters.",
        )
    return display_name or None


def checked_mime_type(mime_type: str | None) -> str:
    """Return the MIME type as sent, or raise InvalidArgument for one that cannot be."""
    if not mime_type:
        return UNKNOWN_MIME_TYPE
    # It is quoted in headers and logs, where a line break would be an attack.
    printable = CONTROL.sub("�", mime_type[:MIME_TYPE_LENGTH_MAX])
    if (
        printable != mime_type
        or len(mime_type) > MIME_TYPE_LENGTH_MAX
        or MIME_TYPE.fullmatch(mime_type) is None
    ):
        raise InvalidArgument(f"Unsupported MIME type: {printable}")
    return mime_type


def _too_long(field: str) -> InvalidArgument:
    return _violation(
        field,
        f"File ID (name excluding 'files/') cannot be more than {ID_LENGTH_MAX} characters.",
    )


def _violation(path: str, reason: str) -> InvalidArgument:
    """Return an error in the form that the hosted service gives to a broken field rule."""
    field = path.partition(".")[2]
    return InvalidArgument.of_fields([FieldViolation(field, f"* {path}: {reason}\n")])
