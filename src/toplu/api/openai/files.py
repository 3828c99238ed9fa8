"""Files: uploads, and the output and error files of batches under the same calls."""

from collections.abc import AsyncIterator
from datetime import timedelta

from starlette.responses import Response
from starlette.routing import Route

from toplu.api.http.gate import Call, stream_body
from toplu.api.http.idempotency import REPLAYED, key_of
from toplu.api.http.multipart import FormUpload, Part
from toplu.api.http.responses import json_response
from toplu.api.http.streaming.ranges import ranged_response
from toplu.api.openai.gate import PREFIX, OpenaiGate
from toplu.api.openai.output_files import OutputFiles
from toplu.api.openai.paging import page_of
from toplu.errors import InvalidArgument, NotFound, PermissionDenied
from toplu.files.library import FileSource, Library, StoredFile
from toplu.files.metadata import FileTerms
from toplu.files.uploads import Uploads
from toplu.idempotency import AlreadyCreated, Creation
from toplu.settings.server import Settings
from toplu.wire.gemini.file import FileMetadata
from toplu.wire.openai.file import DeletedFile, FileObject, FilePage
from toplu.wire.openai.message import InvalidParameter

ID_PREFIX = "file-"
PURPOSES = ("batch", "user_data", "vision", "assistants", "evals", "fine-tune")
# What was uploaded by another API is there for whatever it is used for.
PLAIN_PURPOSE = "user_data"
PAGE_SIZE = 10_000  # as hosted, by default and at most
CONTENT_TYPE = "application/octet-stream"
LIFE_SECONDS = (3600, 30 * 24 * 3600)  # that a client may ask for


class OpenaiFiles:
    """Handlers of `files/…`."""

    def __init__(
        self, *, settings: Settings, uploads: Uploads, library: Library, outputs: OutputFiles
    ) -> None:
        self._settings = settings
        self._uploads = uploads
        self._library = library
        self._outputs = outputs

    def routes(self, gate: OpenaiGate) -> list[Route]:
        files = f"{PREFIX}/files"
        return [
            Route(files, gate.endpoint(self.create), methods=["POST"]),
            Route(files, gate.endpoint(self.list), methods=["GET"]),
            Route(f"{files}/{{file}}/content", gate.endpoint(self.content), methods=["GET"]),
            Route(f"{files}/{{file}}", gate.endpoint(self.find), methods=["GET"]),
            Route(f"{files}/{{file}}", gate.endpoint(self.delete), methods=["DELETE"]),
        ]

    async def create(self, call: Call) -> Response:
        """Keep a file that comes in a form, whatever the order of its parts."""
        content_type = call.request.headers.get("content-type", "")
        if not content_type.startswith("multipart/form-data"):
            raise InvalidParameter("file", "A file is uploaded as multipart/form-data.")
        form = FormUpload(content_type, stream_body(call.request))
        file = await form.find_file()
        if file is None:
            raise InvalidParameter("file", "Missing required parameter: 'file'.")

        async def read_terms() -> FileTerms:
            return _terms_of(call, await form.fields(), file)

        try:
            stored = await self._uploads.whole(
                call.project,
                FileMetadata(display_name=file.filename),
                mime_type=file.content_type or None,
                chunks=form.stream(file),
                read_terms=read_terms,
            )
        except AlreadyCreated as before:
            stored = await self._library.get(call.project, before.resource)
            return await json_response(call.request, file_object(stored), headers=REPLAYED)
        return await json_response(call.request, file_object(stored))

    async def list(self, call: Call) -> Response:
        """Answer with some of the uploaded files; a batch names its own."""
        query = call.request.query_params
        purpose = query.get("purpose")
        files, _ = await self._library.page(call.project, size=PAGE_SIZE)
        # What a batch was answered with has another form here, under another id.
        found = [file_object(file) for file in files if file.source is FileSource.UPLOADED]
        if query.get("order") == "asc":
            found.reverse()
        wanted = [file for file in found if purpose in (None, file.purpose)]
        page, has_more = page_of(call, wanted, lambda file: file.id, largest=PAGE_SIZE)
        return await json_response(
            call.request,
            FilePage(data=page, has_more=has_more)
            if not page
            else FilePage(data=page, has_more=has_more, first_id=page[0].id, last_id=page[-1].id),
        )

    async def find(self, call: Call) -> Response:
        """Answer with what is known of the file."""
        file_id = call.path("file")
        output = await self._outputs.find(call.project, file_id)
        if output is not None:
            return await json_response(call.request, await output.resource())
        return await json_response(call.request, file_object(await self._stored(call, file_id)))

    async def content(self, call: Call) -> Response:
        """Answer with the bytes, or with those of the range that is asked for."""
        file_id = call.path("file")
        output = await self._outputs.find(call.project, file_id)
        if output is not None:
            size = await output.size()
            return ranged_response(call.request, size, output.stream, content_type=CONTENT_TYPE)
        stored = await self._stored(call, file_id)

        def stream(offset: int, length: int) -> AsyncIterator[bytes]:
            return self._library.stream(stored, offset, length)

        return ranged_response(call.request, stored.size_bytes, stream, content_type=CONTENT_TYPE)

    async def delete(self, call: Call) -> Response:
        """Forget an uploaded file; those of a batch go with it."""
        file_id = call.path("file")
        if await self._outputs.find(call.project, file_id) is not None:
            raise InvalidParameter(
                "file_id", "Files of a batch are kept as long as it is, and go with it."
            )
        stored = await self._stored(call, file_id)
        await self._library.delete(call.project, stored.id)
        return await json_response(call.request, DeletedFile(id=file_id))

    async def _stored(self, call: Call, file_id: str) -> StoredFile:
        return await find_stored(self._library, call, file_id)


async def find_stored(
    library: Library, call: Call, file_id: str, param: str = "file_id"
) -> StoredFile:
    """Return the uploaded file of the id, or raise NotFound."""
    if file_id.startswith(ID_PREFIX):
        try:
            stored = await library.get(call.project, file_id.removeprefix(ID_PREFIX))
            if stored.source is FileSource.UPLOADED:
                return stored
        except (PermissionDenied, InvalidArgument):
            pass  # of another project, of nobody, or no id at all: none is a file here
    raise FileNotFound(param, f"No such File object: {file_id}", reason="file_not_found")


class FileNotFound(InvalidParameter):
    """No file of that id in the caller's project."""

    http_status = NotFound.http_status


def file_object(stored: StoredFile) -> FileObject:
    """Return the file as its client sees it."""
    return FileObject(
        id=f"{ID_PREFIX}{stored.id}",
        bytes=stored.size_bytes,
        created_at=int(stored.created.timestamp()),
        expires_at=int(stored.expires.timestamp()),
        filename=stored.display_name or stored.id,
        purpose=stored.purpose or PLAIN_PURPOSE,
    )


def _terms_of(call: Call, fields: dict[str, str], file: Part) -> FileTerms:
    purpose = fields.get("purpose")
    if purpose is None:
        raise InvalidParameter("purpose", "Missing required parameter: 'purpose'.")
    if purpose not in PURPOSES:
        known = ", ".join(PURPOSES)
        raise InvalidParameter("purpose", f"'{purpose}' is no purpose; those are {known}.")
    said = repr((sorted(fields.items()), file.filename, file.content_type)).encode()
    key = key_of(call, Creation.FILE, said)
    return FileTerms(purpose=purpose, life=_life_in(fields), key=key)


def _life_in(fields: dict[str, str]) -> timedelta | None:
    seconds = fields.get("expires_after[seconds]")
    if seconds is None:
        return None
    if fields.get("expires_after[anchor]", "created_at") != "created_at":
        raise InvalidParameter("expires_after.anchor", "The anchor must be 'created_at'.")
    least, most = LIFE_SECONDS
    if not seconds.isdecimal() or not least <= int(seconds) <= most:
        raise InvalidParameter(
            "expires_after.seconds", f"'expires_after.seconds' must be {least} to {most}."
        )
    return timedelta(seconds=int(seconds))
