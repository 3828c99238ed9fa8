"""Files: get, list, delete, download."""

from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from toplu.api.gemini.file_resources import file_resource
from toplu.api.http.addresses import base_url
from toplu.api.http.gate import Call, Gate
from toplu.api.http.paging import PAGE_QUERY, page_size, page_token
from toplu.api.http.responses import json_response
from toplu.errors import InvalidArgument
from toplu.files.library import Library, StoredFile
from toplu.files.registration import Registration
from toplu.settings.server import Settings
from toplu.wire.gemini.file import (
    File,
    ListFilesResponse,
    RegisterFilesRequest,
    RegisterFilesResponse,
)

PAGE_SIZE = 10
PAGE_SIZE_MAX = 100
REGISTERED_MAX = 20
MEDIA = frozenset({"media"})


class FilesApi:
    """Handlers of `files/…`."""

    def __init__(self, *, settings: Settings, library: Library, registration: Registration) -> None:
        self._settings = settings
        self._registration = registration
        self._library = library

    def routes(self, gate: Gate) -> list[Route]:
        download = gate.endpoint(self.download, forms=MEDIA)
        return [
            Route(
                "/{version:version}/files",
                gate.endpoint(self.list, query=PAGE_QUERY),
                methods=["GET"],
            ),
            Route("/{version:version}/files", gate.endpoint(self.refuse_empty), methods=["POST"]),
            Route(
                "/{version:version}/files:register", gate.endpoint(self.register), methods=["POST"]
            ),
            # Some clients paste a whole URI where the id belongs: the last part is the id.
            Route("/{version:version}/files/{file:path}:download", download, methods=["GET"]),
            Route(
                "/download/{version:version}/files/{file:path}:download",
                download,
                methods=["GET"],
            ),
            Route("/{version:version}/files/{file}", gate.endpoint(self.find), methods=["GET"]),
            Route(
                "/{version:version}/files/{file}", gate.endpoint(self.delete), methods=["DELETE"]
            ),
        ]

    async def find(self, call: Call) -> Response:
        """Answer with the file's metadata."""
        stored = await self._library.get(call.project, f"files/{call.path('file')}")
        return await json_response(call.request, self._resource(call, stored))

    async def list(self, call: Call) -> Response:
        """Answer with a page of files, newest first."""
        files, next_token = await self._library.page(
            call.project,
            size=page_size(call, default=PAGE_SIZE, largest=PAGE_SIZE_MAX),
            token=page_token(call),
        )
        page = ListFilesResponse(
            files=[self._resource(call, stored) for stored in files] or None,
            next_page_token=next_token,
        )
        return await json_response(call.request, page)

    async def refuse_empty(self, call: Call) -> Response:
        """Refuse a file without bytes: it is what a client sends that forgot `/upload`."""
        raise InvalidArgument(
            f"A file needs its bytes: send it to /upload/{call.version}/files instead."
        )

    async def register(self, call: Call) -> Response:
        """Fetch what is at some addresses, and answer with the files that are made of it."""
        body = await call.read(RegisterFilesRequest, self._settings.inline_bytes_max)
        uris = body.uris or []
        if not 0 < len(uris) <= REGISTERED_MAX:
            raise InvalidArgument(
                f"RegisterFilesRequest.uris: 1 to {REGISTERED_MAX} addresses are fetched in a call."
            )
        files = [
            await self._registration.register(call.project, uri, f"uris[{index}]")
            for index, uri in enumerate(uris)
        ]
        registered = RegisterFilesResponse(files=[self._resource(call, file) for file in files])
        return await json_response(call.request, registered)

    async def delete(self, call: Call) -> Response:
        """Forget the file."""
        await self._library.delete(call.project, f"files/{call.path('file')}")
        return await json_response(call.request, {})

    async def download(self, call: Call) -> Response:
        """Answer with the file's bytes as they are."""
        name = call.path("file").rsplit("/", 1)[-1]
        stored = await self._library.get(call.project, f"files/{name}")
        return StreamingResponse(
            self._library.stream(stored),
            headers={
                "Content-Type": "application/octet-stream",
                "Content-Length": str(stored.size_bytes),
                "X-Content-Type-Options": "nosniff",
            },
        )

    def _resource(self, call: Call, stored: StoredFile) -> File:
        return file_resource(
            stored, base_url=base_url(call.request, self._settings), version=call.version
        )
