"""Files: what a client uploads, and what batches answer with."""

from typing import Literal

from toplu.wire.openai.message import UNSET, Message, Unset


class FileObject(Message, frozen=True, kw_only=True):
    """A kept file; times are in seconds since 1970."""

    id: str
    object: Literal["file"] = "file"
    bytes: int
    created_at: int
    expires_at: int
    filename: str
    purpose: str
    status: Literal["processed"] = "processed"


class FilePage(Message, frozen=True, kw_only=True):
    """Some of the files, newest first unless asked otherwise."""

    object: Literal["list"] = "list"
    data: list[FileObject]
    first_id: str | Unset = UNSET
    last_id: str | Unset = UNSET
    has_more: bool


class DeletedFile(Message, frozen=True, kw_only=True):
    """A file that is gone."""

    id: str
    object: Literal["file"] = "file"
    deleted: bool = True
