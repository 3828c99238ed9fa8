"""Uploads: resumable, multipart and raw, as the SDKs and curl send them.

A resumable upload is a session. Its URL is its own credential: one SDK sends no key with the
bytes. The SDKs read `X-Goog-Upload-Status` before the HTTP status, which decides what an error
looks like: with `final` it is for good, without the header the client tries again.
"""

import re
from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from toplu.api.gemini.file_resources import file_resource
from toplu.api.http.addresses import base_url
from toplu.api.http.error_responses import body_of, headers_of
from toplu.api.http.gate import Call, Gate, stream_body
from toplu.api.http.idempotency import REPLAYED, key_of
from toplu.api.http.identity import act_in
from toplu.api.http.multipart import METADATA_BYTES_MAX, MultipartUpload, check_not_encoded
from toplu.api.http.responses import json_response
from toplu.errors import Cancelled, Internal, InvalidArgument, TopluError, Unavailable
from toplu.files.library import Library, StoredFile
from toplu.files.metadata import FileTerms
from toplu.files.uploads import OffsetMismatch, Uploads, UploadState
from toplu.idempotency import AlreadyCreated, Creation
from toplu.settings.server import MIB, Settings
from toplu.wire.gemini import proto_json
from toplu.wire.gemini.file import CreateFileRequest, CreateFileResponse, FileMetadata

STATUS = "X-Goog-Upload-Status"
SIZE_RECEIVED = "X-Goog-Upload-Size-Received"
CHUNK_GRANULARITY_BYTES = 8 * MIB
SIZE = re.compile(r"[0-9]{1,19}")
NO_TYPE = "text/plain"  # of an answer that is all in its headers
SESSION_QUERY = frozenset({"upload_id"})


class UploadsApi:
    """Handlers of `/upload/…/files`."""

    def __init__(
        self, *, settings: Settings, uploads: Uploads, library: Library, gate: Gate
    ) -> None:
        self._settings = settings
        self._uploads = uploads
        self._library = library
        self._gate = gate

    def routes(self) -> list[Route]:
        return [
            Route("/upload/{version:version}/files", self.answer, methods=["POST", "PUT"]),
        ]

    async def answer(self, request: Request) -> Response:
        """Go on with the session that the URL names, or begin an upload."""
        upload_id = request.query_params.get("upload_id")
        if upload_id is not None:
            return await self._continue(request, upload_id)
        call = await self._gate.admit(request, query=SESSION_QUERY)
        protocol = _protocol_of(request)
        match protocol:
            case "resumable":
                return await self._start(call)
            case "multipart":
                return await self._upload_multipart(call)
            case "raw" | "media":
                return await self._upload_raw(call)
            case _:
                raise InvalidArgument(
                    f'Unknown upload protocol "{protocol}": use resumable, multipart or raw in '
                    "the header X-Goog-Upload-Protocol."
                )

    async def _start(self, call: Call) -> Response:
        headers = call.request.headers
        command = headers.get("x-goog-upload-command", "start").strip().lower()
        if command != "start":
            raise InvalidArgument(f'An upload begins with the command "start", not "{command}".')
        check_not_encoded(
            "X-Goog-Upload-Header-Content-Encoding",
            headers.get("x-goog-upload-header-content-encoding", ""),
        )
        body = await call.read(CreateFileRequest, METADATA_BYTES_MAX)
        upload_id = await self._uploads.start(
            call.project,
            body.file or FileMetadata(),
            declared_bytes=_declared_bytes(headers.get("x-goog-upload-header-content-length")),
            mime_type=headers.get("x-goog-upload-header-content-type"),
        )
        url = (
            f"{base_url(call.request, self._settings)}{call.request.url.path}"
            f"?upload_id={upload_id}&upload_protocol=resumable"
        )
        return Response(
            media_type=NO_TYPE,
            headers={
                STATUS: "active",
                "X-Goog-Upload-URL": url,
                "X-Goog-Upload-Control-URL": url,
                "X-Goog-Upload-Chunk-Granularity": str(CHUNK_GRANULARITY_BYTES),
                "X-GUploader-UploadID": upload_id,
            },
        )

    async def _continue(self, request: Request, upload_id: str) -> Response:
        act_in(request, self._settings, name="upload")  # the session knows who began it
        header = request.headers.get("x-goog-upload-command", "")
        commands = {command.strip().lower() for command in header.split(",")}
        try:
            if not commands <= {"upload", "finalize", "query", "cancel"}:
                raise InvalidArgument(
                    f'Unknown X-Goog-Upload-Command "{header}": use upload, finalize, query or '
                    "cancel."
                )
            if commands == {"cancel"}:
                await self._uploads.cancel(upload_id)
                return Response(media_type=NO_TYPE, headers={STATUS: "cancelled"})
            if "upload" in commands:
                offset = _declared_bytes(request.headers.get("x-goog-upload-offset"))
                await self._uploads.append(upload_id, offset, stream_body(request))
            if "finalize" in commands:
                return await self._final(request, await self._uploads.finalize(upload_id))
            return await self._progress(request, upload_id)
        except OffsetMismatch as error:
            # The session lives: the client may ask where it stands, and go on from there.
            headers = {SIZE_RECEIVED: str(error.received_bytes)}
            return await json_response(
                request, body_of(error), status=error.http_status, headers=headers
            )
        except TopluError as error:
            if isinstance(error, Cancelled | Unavailable | Internal):
                raise
            headers = headers_of(error) | {STATUS: "final"}
            return await json_response(
                request, body_of(error), status=error.http_status, headers=headers
            )

    async def _progress(self, request: Request, upload_id: str) -> Response:
        progress = await self._uploads.query(upload_id)
        if progress.state is UploadState.FINAL:
            assert progress.file is not None, "a final upload has its file"
            return await self._final(request, progress.file)
        if progress.state is UploadState.CANCELLED:
            return Response(media_type=NO_TYPE, headers={STATUS: "cancelled"})
        headers = {STATUS: "active", SIZE_RECEIVED: str(progress.received_bytes)}
        return Response(media_type=NO_TYPE, headers=headers)

    async def _upload_multipart(self, call: Call) -> Response:
        content_type = call.request.headers.get("content-type", "")
        upload = MultipartUpload(content_type, stream_body(call.request))
        told = await upload.metadata()
        body = proto_json.read(CreateFileRequest, told)
        return await self._receive(
            call,
            body.file or FileMetadata(),
            mime_type=await upload.file_type() or None,
            chunks=upload.file(),
            told=told,
        )

    async def _upload_raw(self, call: Call) -> Response:
        headers = call.request.headers
        name = headers.get("x-goog-upload-file-name")
        return await self._receive(
            call,
            FileMetadata(display_name=name),
            mime_type=headers.get("x-goog-upload-header-content-type", headers.get("content-type")),
            chunks=stream_body(call.request),
            told=(name or "").encode(),
        )

    async def _receive(
        self,
        call: Call,
        about: FileMetadata,
        *,
        mime_type: str | None,
        chunks: AsyncIterator[bytes],
        told: bytes,
    ) -> Response:
        """Keep a file of one call; `told` is what the client says of it."""

        async def read_terms() -> FileTerms:
            return FileTerms(key=key_of(call, Creation.FILE, told, (mime_type or "").encode()))

        try:
            stored = await self._uploads.whole(
                call.project, about, mime_type=mime_type, chunks=chunks, read_terms=read_terms
            )
        except AlreadyCreated as before:
            stored = await self._library.get(call.project, before.resource)
            return await self._final(call.request, stored, REPLAYED)
        return await self._final(call.request, stored)

    async def _final(
        self, request: Request, stored: StoredFile, headers: dict[str, str] | None = None
    ) -> Response:
        resource = file_resource(
            stored,
            base_url=base_url(request, self._settings),
            version=request.path_params["version"],
        )
        return await json_response(
            request, CreateFileResponse(file=resource), headers={STATUS: "final"} | (headers or {})
        )


def _protocol_of(request: Request) -> str:
    query = request.query_params
    asked = (
        request.headers.get("x-goog-upload-protocol")
        or query.get("upload_protocol")
        or query.get("uploadType")
        or ""
    )
    if not asked and request.headers.get("content-type", "").startswith("multipart/"):
        return "multipart"
    return asked.strip().lower()


def _declared_bytes(header: str | None) -> int | None:
    if header is None:
        return None
    if SIZE.fullmatch(header.strip()) is None:
        raise InvalidArgument(f'"{header}" is not a number of bytes.')
    return int(header)
