"""Files: the resource, and the metadata that an upload begins with."""

from typing import Any

from toplu.wire.gemini.message import Int64, Message


class FileMetadata(Message, frozen=True, kw_only=True):
    """A client's metadata of a file, before its bytes."""

    name: str | None = None
    display_name: str | None = None
    mime_type: str | None = None
    size_bytes: Int64 | None = None
    # Set by the server; the SDKs may send back what they got, and it is not acted on.
    create_time: Any = None
    update_time: Any = None
    expiration_time: Any = None
    sha256_hash: Any = None
    uri: Any = None
    download_uri: Any = None
    state: Any = None
    source: Any = None
    error: Any = None
    video_metadata: Any = None


class CreateFileRequest(Message, frozen=True, kw_only=True):
    """The body of the call that starts an upload."""

    file: FileMetadata | None = None


class RegisterFilesRequest(Message, frozen=True, kw_only=True):
    """The body of `files:register`."""

    uris: list[str] | None = None


class File(Message, frozen=True, kw_only=True):
    """A kept file."""

    name: str
    display_name: str | None = None
    mime_type: str | None = None
    size_bytes: Int64
    create_time: str
    update_time: str
    expiration_time: str
    sha256_hash: str  # base64 of the lower-case hexadecimal digest, as the hosted service does
    uri: str
    download_uri: str | None = None
    state: str
    source: str


class CreateFileResponse(Message, frozen=True, kw_only=True):
    """The answer of the last call of an upload."""

    file: File


class RegisterFilesResponse(Message, frozen=True, kw_only=True):
    """A file for each address, in their order."""

    files: list[File]


class ListFilesResponse(Message, frozen=True, kw_only=True):
    """A page of files."""

    files: list[File] | None = None
    next_page_token: str | None = None
