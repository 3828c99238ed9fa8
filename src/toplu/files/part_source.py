"""The source of a part's bytes, before they are read: inline or a file, and of which type."""

import re
from collections.abc import Hashable
from dataclasses import dataclass

from toplu.documents.fault import DocumentFault
from toplu.documents.image_type import ImageType, is_image, read_image_type
from toplu.documents.media_type import (
    MediaType,
    Reading,
    is_known,
    name_of,
    read_media_type,
)
from toplu.documents.reader import Fetch
from toplu.engines.translation.prompt import PAYLOADS
from toplu.files.library import Library, StoredFile
from toplu.job import ProjectId
from toplu.outbound.fetched import guessed_type
from toplu.outbound.fetcher import Fetcher
from toplu.settings.server import ModelSettings
from toplu.wire.gemini.content import Blob, FileData, Part

FILE_URI = re.compile(r"(https?://[^\s?#]+/)?files/[^\s/?#]+", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """The places that parts name: files of the project, and addresses that may be fetched."""

    library: Library
    fetcher: Fetcher


@dataclass(frozen=True, slots=True, kw_only=True)
class PartSource:
    """The bytes of one part, which are fetched when there is room to read them."""

    media_type: MediaType | ImageType
    size_bytes: int
    fetch: Fetch
    name: str | None
    key: Hashable | None  # equal for equal bytes


async def find_carried(
    part: Part, sources: Sources, project: ProjectId, model: ModelSettings
) -> PartSource:
    """Return what the part has for the model, or raise what is wrong with it."""
    # First, because it holds whatever else is wrong with the part.
    for data in (part.inline_data, part.file_data):
        if data is not None and is_known(data.mime_type):
            _media_type(data.mime_type or "", model)
    check_single(part)
    if part.inline_data is not None:
        return _read_blob(part.inline_data, model)
    assert part.file_data is not None, "an attached part has one of the two"
    if sources.fetcher.allows(project, part.file_data.file_uri or ""):
        return _at_address(part.file_data, sources.fetcher, project, model)
    return await _find_file(part.file_data, sources.library, project, model)


def _at_address(
    named: FileData, fetcher: Fetcher, project: ProjectId, model: ModelSettings
) -> PartSource:
    uri = named.file_uri or ""
    mime_type = named.mime_type if is_known(named.mime_type) else guessed_type(uri)
    if mime_type is None:
        raise DocumentFault("mime_type must be set: the address does not say what it is of.")
    media_type = _media_type(mime_type, model)

    async def fetch() -> bytes:
        return await fetcher.read(project, uri, "file_uri")

    return PartSource(
        media_type=media_type,
        size_bytes=0,  # not known before it has come
        fetch=fetch,
        name=named.display_name,
        key=(project, uri, fetcher.period()),
    )


def _read_blob(blob: Blob, model: ModelSettings) -> PartSource:
    if not blob.data:
        raise DocumentFault("data must not be empty.")
    if not blob.mime_type:
        raise DocumentFault("mime_type must be set.")
    data = blob.data

    async def fetch() -> bytes:
        return data

    return PartSource(
        media_type=_media_type(blob.mime_type, model),
        size_bytes=len(data),
        fetch=fetch,
        name=blob.display_name,
        key=None,
    )


async def _find_file(
    named: FileData, library: Library, project: ProjectId, model: ModelSettings
) -> PartSource:
    uri = named.file_uri or ""
    if FILE_URI.fullmatch(uri) is None:
        raise DocumentFault(
            "file_uri must be the name (files/…) or the URI of an uploaded file, or an address "
            "that the operator of this server allows (inputs.allow); nothing else is fetched."
        )
    file = await library.get(project, uri)

    async def fetch() -> bytes:
        try:
            return await library.read(file)
        except FileNotFoundError:
            # It was deleted since: the library says so, as it does of any missing file.
            await library.get(project, uri)
            raise

    return PartSource(
        media_type=_type_of_file(named, file, model),
        size_bytes=file.size_bytes,
        fetch=fetch,
        name=named.display_name or file.display_name,
        key=(project, file.id, file.sha256),
    )


def _media_type(mime_type: str, model: ModelSettings) -> MediaType | ImageType:
    """Return how such bytes are read for the model, or raise DocumentFault if they are not."""
    if not is_image(mime_type):
        return read_media_type(mime_type)
    if not model.sees:
        raise DocumentFault(
            f"is {name_of(mime_type)}, and the model {model.name} does not see.", unserved=True
        )
    return read_image_type(mime_type)


def _type_of_file(named: FileData, file: StoredFile, model: ModelSettings) -> MediaType | ImageType:
    """Return how the file is read: as the part says, if that fits its upload."""
    if not is_known(named.mime_type):
        return _media_type(file.mime_type, model)
    asked = _media_type(named.mime_type or "", model)
    if is_known(file.mime_type) and _way(_media_type(file.mime_type, model)) is not _way(asked):
        raise DocumentFault(
            f"mime_type is {name_of(named.mime_type or '')}, but the file is {file.mime_type}."
        )
    return asked


def _way(media_type: MediaType | ImageType) -> Reading | ImageType:
    return media_type if isinstance(media_type, ImageType) else media_type.reading


def check_single(part: Part) -> None:
    """Raise DocumentFault if the part is more than one thing."""
    if sum(getattr(part, payload) is not None for payload in PAYLOADS) > 1:
        raise DocumentFault("oneof field 'data' is already set.")
