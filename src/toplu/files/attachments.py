"""What the parts of a request refer to, read as text for the project that asks.

request ──▶ each inlineData: its bytes ──────────────┐
        └─▶ each fileData: the project's own file ───┴──▶ text ──▶ request of text parts
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from toplu.documents.fault import DocumentFault
from toplu.documents.media_type import MediaType, is_known, read_media_type
from toplu.documents.reader import DocumentReader
from toplu.engines.attached import Attached, find_attached, with_read, write_document
from toplu.errors import FieldViolation, InvalidArgument, TopluError, Unimplemented
from toplu.files.library import Library, StoredFile
from toplu.gemini.content import Blob, FileData, GenerateContentRequest, Part
from toplu.job import ProjectId
from toplu.settings import Settings

FILE_URI = re.compile(r"(https?://[^\s?#]+/)?files/[^\s/?#]+", re.IGNORECASE)

# Fields that are the other payloads of a part; one part has one payload.
OTHER_PAYLOADS = (
    "text",
    "function_call",
    "function_response",
    "executable_code",
    "code_execution_result",
    "tool_call",
    "tool_response",
)

Resolve = Callable[[GenerateContentRequest], Awaitable[GenerateContentRequest]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Document:
    text: str
    name: str | None
    media_type: MediaType


class Attachments:
    """Puts text in the place of documents, for any project."""

    def __init__(self, *, settings: Settings, library: Library, reader: DocumentReader) -> None:
        self._documents_max = settings.request_documents_max
        self._characters_max = settings.document_characters_max
        self._library = library
        self._reader = reader

    def of_project(self, project: ProjectId) -> Resolve:
        """Return what resolves requests with the files of that project, and of no other."""

        async def resolve(request: GenerateContentRequest) -> GenerateContentRequest:
            return await self.resolve(request, project)

        return resolve

    async def resolve(
        self, request: GenerateContentRequest, project: ProjectId
    ) -> GenerateContentRequest:
        """Return the request with text for every document, or raise what is wrong with one."""
        attached = list(find_attached(request))
        if len(attached) > self._documents_max:
            raise InvalidArgument(
                f"* GenerateContentRequest.contents: {len(attached)} documents; at most "
                f"{self._documents_max} are read for a request.\n"
            )
        texts: dict[str, str] = {}
        left = self._characters_max
        for document in attached:
            read = await self._read(document, project)
            left -= len(read.text)
            if left < 0:
                raise _refusal(
                    document,
                    DocumentFault(
                        "the documents of the request have more text than "
                        f"{self._characters_max} characters together."
                    ),
                )
            texts[document.path] = write_document(
                read.text, name=read.name, media_type=read.media_type.name
            )
        return with_read(request, texts)

    async def _read(self, attached: Attached, project: ProjectId) -> _Document:
        part = attached.part
        try:
            # Said first, because it is so whatever else is wrong with the part.
            for said in (part.inline_data, part.file_data):
                if said is not None and is_known(said.mime_type):
                    read_media_type(said.mime_type or "")
            _check_single(part)
            if part.inline_data is not None:
                return await self._read_inline(part.inline_data)
            assert part.file_data is not None, "an attached part has one of the two"
            return await self._read_file(part.file_data, project)
        except DocumentFault as fault:
            raise _refusal(attached, fault) from fault

    async def _read_inline(self, blob: Blob) -> _Document:
        if not blob.data:
            raise DocumentFault("data must not be empty.")
        if not blob.mime_type:
            raise DocumentFault("mime_type must be set.")
        media_type = read_media_type(blob.mime_type)
        data = blob.data

        async def fetch() -> bytes:
            return data

        text = await self._reader.read(media_type, len(data), fetch)
        return _Document(text=text, name=blob.display_name, media_type=media_type)

    async def _read_file(self, named: FileData, project: ProjectId) -> _Document:
        uri = named.file_uri or ""
        if FILE_URI.fullmatch(uri) is None:
            raise DocumentFault(
                "file_uri must be the name (files/…) or the URI of an uploaded file; nothing else "
                "is fetched."
            )
        file = await self._library.get(project, uri)
        media_type = _media_type_of(named, file)

        async def fetch() -> bytes:
            try:
                return await self._library.read(file)
            except FileNotFoundError:
                # It was deleted since: the library says so, as it does of any missing file.
                await self._library.get(project, uri)
                raise

        key = (project, file.id, file.sha256)
        text = await self._reader.read(media_type, file.size_bytes, fetch, key=key)
        name = named.display_name or file.display_name
        return _Document(text=text, name=name, media_type=media_type)


def _media_type_of(named: FileData, file: StoredFile) -> MediaType:
    """Return how the file is read: as the part says, if that fits what the upload said."""
    if not is_known(named.mime_type):
        return read_media_type(file.mime_type)
    asked = read_media_type(named.mime_type or "")
    if is_known(file.mime_type) and read_media_type(file.mime_type).reading is not asked.reading:
        raise DocumentFault(f"mime_type is {asked.name}, but the file is {file.mime_type}.")
    return asked


def _check_single(part: Part) -> None:
    payloads = [part.inline_data, part.file_data]
    payloads += [getattr(part, name) for name in OTHER_PAYLOADS]
    if sum(payload is not None for payload in payloads) > 1:
        raise DocumentFault("oneof field 'data' is already set.")


def _refusal(attached: Attached, fault: DocumentFault) -> TopluError:
    is_inline = attached.part.inline_data is not None
    if fault.unserved:
        path = attached.path.replace("system_instruction", "systemInstruction")
        return Unimplemented(f"{path}.{'inlineData' if is_inline else 'fileData'} {fault.message}")
    field = f"{attached.path}.{'inline_data' if is_inline else 'file_data'}"
    return InvalidArgument.of_fields(
        [FieldViolation(field, f"* GenerateContentRequest.{field}: {fault.message}\n")]
    )
