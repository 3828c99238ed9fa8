"""The OpenAPI document of the doors, and a page to read it on.

The shapes come from the message types themselves; the table below says which call takes and
gives which. A test holds it against the router.
"""

import importlib.resources
from dataclasses import dataclass
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

import toplu
from toplu.api.error_responses import ErrorBody
from toplu.api.responses import json_response
from toplu.api.state_style import STATE_STYLE_HEADER
from toplu.gemini.batch import (
    BatchGenerateContentRequest,
    BatchMetadata,
    GenerateContentBatch,
    ListOperationsResponse,
    Operation,
)
from toplu.gemini.content import (
    CountTokensRequest,
    CountTokensResponse,
    GenerateContentRequest,
    GenerateContentResponse,
)
from toplu.gemini.embedding import (
    AsyncBatchEmbedContentRequest,
    BatchEmbedContentsRequest,
    BatchEmbedContentsResponse,
    EmbedContentBatch,
    EmbedContentRequest,
    EmbedContentResponse,
)
from toplu.gemini.file import CreateFileRequest, CreateFileResponse, File, ListFilesResponse
from toplu.gemini.model import ListModelsResponse, Model


@dataclass(frozen=True, slots=True)
class Operated:
    """One call: its method and path, what it does, takes and gives (None: not JSON, or empty)."""

    method: str
    path: str
    summary: str
    takes: Any = None
    gives: Any = None
    query: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    streams: bool = False  # gives many, as a list or as events


PAGE = ("pageSize", "pageToken")
STYLE = (STATE_STYLE_HEADER,)

CALLS = (
    Operated("get", "/healthz", "Whether the process lives."),
    Operated("get", "/readyz", "Whether every engine is ready that is not lazy."),
    Operated("get", "/{version}/models", "List models.", gives=ListModelsResponse, query=PAGE),
    Operated("get", "/{version}/models/{model}", "Get a model.", gives=Model),
    Operated("get", "/{version}/tunedModels", "List tuned models: there are none."),
    Operated(
        "post",
        "/{version}/models/{model}:generateContent",
        "Answer one request at once.",
        takes=GenerateContentRequest,
        gives=GenerateContentResponse,
    ),
    Operated(
        "post",
        "/{version}/models/{model}:streamGenerateContent",
        "Answer one request in chunks, while it is answered; as events with alt=sse.",
        takes=GenerateContentRequest,
        gives=GenerateContentResponse,
        query=("alt",),
        streams=True,
    ),
    Operated(
        "post",
        "/{version}/models/{model}:countTokens",
        "Count the tokens of a prompt.",
        takes=CountTokensRequest,
        gives=CountTokensResponse,
    ),
    Operated(
        "post",
        "/{version}/models/{model}:batchGenerateContent",
        "Create a batch, from requests in the body or from an uploaded JSONL file.",
        takes=BatchGenerateContentRequest,
        gives=Operation,
        headers=STYLE,
    ),
    Operated(
        "post",
        "/{version}/models/{model}:embedContent",
        "Embed one text at once.",
        takes=EmbedContentRequest,
        gives=EmbedContentResponse,
    ),
    Operated(
        "post",
        "/{version}/models/{model}:batchEmbedContents",
        "Embed several texts at once.",
        takes=BatchEmbedContentsRequest,
        gives=BatchEmbedContentsResponse,
    ),
    Operated(
        "post",
        "/{version}/models/{model}:asyncBatchEmbedContent",
        "Create a batch of embeddings, from requests in the body or from an uploaded JSONL file.",
        takes=AsyncBatchEmbedContentRequest,
        gives=Operation,
        headers=STYLE,
    ),
    Operated(
        "get",
        "/{version}/batches",
        "List batches.",
        gives=ListOperationsResponse,
        query=PAGE,
        headers=STYLE,
    ),
    Operated("get", "/{version}/batches/{batch}", "Get a batch.", gives=Operation, headers=STYLE),
    Operated(
        "patch",
        "/{version}/batches/{batch}:updateGenerateContentBatch",
        "Change the name or the priority of a batch.",
        takes=GenerateContentBatch,
        gives=BatchMetadata,
        query=("updateMask",),
        headers=STYLE,
    ),
    Operated(
        "patch",
        "/{version}/batches/{batch}:updateEmbedContentBatch",
        "Change the name or the priority of a batch of embeddings.",
        takes=EmbedContentBatch,
        gives=BatchMetadata,
        query=("updateMask",),
        headers=STYLE,
    ),
    Operated("post", "/{version}/batches/{batch}:cancel", "Cancel a batch."),
    Operated("get", "/{version}/batches/{batch}:cancel", "Cancel a batch, as the docs' curl does."),
    Operated("delete", "/{version}/batches/{batch}", "Delete a batch."),
    Operated("post", "/{version}/batches/{batch}:delete", "Delete a batch."),
    Operated("get", "/{version}/batches/{batch}:delete", "Delete a batch, as the docs' curl does."),
    Operated(
        "post",
        "/upload/{version}/files",
        "Begin or continue an upload (resumable, multipart or raw).",
        takes=CreateFileRequest,
        gives=CreateFileResponse,
        query=("upload_id",),
    ),
    Operated(
        "put", "/upload/{version}/files", "Continue a resumable upload.", query=("upload_id",)
    ),
    Operated("get", "/{version}/files", "List files.", gives=ListFilesResponse, query=PAGE),
    Operated("post", "/{version}/files", "Refused: a file needs its bytes."),
    Operated("get", "/{version}/files/{file}", "Get a file's metadata.", gives=File),
    Operated("delete", "/{version}/files/{file}", "Delete a file."),
    Operated("get", "/{version}/files/{file}:download", "Download a file."),
    Operated("get", "/download/{version}/files/{file}:download", "Download a file."),
)

REFERENCE = "#/components/schemas/{name}"
VERSIONS = ["v1beta", "v1", "v1alpha"]


def document() -> dict[str, Any]:
    """Return the OpenAPI 3.1 document."""
    types = [ErrorBody] + [
        kind for call in CALLS for kind in (call.takes, call.gives) if kind is not None
    ]
    _, components = msgspec.json.schema_components(types, ref_template=REFERENCE)
    paths: dict[str, dict[str, Any]] = {}
    for call in CALLS:
        paths.setdefault(call.path, {})[call.method] = _operation(call)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "toplu",
            "version": toplu.__version__,
            "description": "The Gemini Batch API, run on your own models.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "security": [{"header": []}, {"query": []}, {"bearer": []}],
        "components": {
            "schemas": components,
            "securitySchemes": {
                "header": {"type": "apiKey", "in": "header", "name": "x-goog-api-key"},
                "query": {"type": "apiKey", "in": "query", "name": "key"},
                "bearer": {"type": "http", "scheme": "bearer"},
            },
        },
    }


def _operation(call: Operated) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": call.summary,
        "parameters": [
            *(_parameter(name) for name in _names_in(call.path)),
            *({"name": name, "in": "query", "schema": {"type": "string"}} for name in call.query),
            *(
                {"name": name, "in": "header", "schema": {"type": "string"}}
                for name in call.headers
            ),
        ],
        "responses": {
            "200": {"description": "OK"},
            "default": {"description": "a failed call", "content": _content(ErrorBody)},
        },
    }
    if call.takes is not None:
        operation["requestBody"] = {"content": _content(call.takes)}
    if call.gives is not None:
        content = _streamed(call.gives) if call.streams else _content(call.gives)
        operation["responses"]["200"]["content"] = content
    return operation


def _names_in(path: str) -> list[str]:
    return [piece.split("}", 1)[0] for piece in path.split("{")[1:]]


def _parameter(name: str) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    if name == "version":
        schema["enum"] = VERSIONS
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _content(kind: Any) -> dict[str, Any]:
    return {"application/json": {"schema": _reference(kind)}}


def _streamed(kind: Any) -> dict[str, Any]:
    return {
        "application/json": {"schema": {"type": "array", "items": _reference(kind)}},
        "text/event-stream": {"schema": _reference(kind)},
    }


def _reference(kind: Any) -> dict[str, Any]:
    return {"$ref": REFERENCE.format(name=kind.__name__)}


DOCS_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>toplu: API</title>
<link rel="stylesheet" href="/docs/static/swagger-ui.css">
</head>
<body>
<div id="page"></div>
<script src="/docs/static/swagger-ui-bundle.js"></script>
<script>SwaggerUIBundle({url: "/openapi.json", dom_id: "#page"})</script>
</body>
</html>
"""


async def show_document(request: Request) -> Response:
    """Answer with the OpenAPI document."""
    return await json_response(request, document())


async def show_page(_request: Request) -> Response:
    """Answer with a page that draws the document; everything it loads comes from here."""
    return HTMLResponse(DOCS_PAGE)


def routes() -> list[Route | Mount]:
    """Return the routes of the document, the page and what the page loads."""
    static = importlib.resources.files("swagger_ui") / "static"
    return [
        Route("/openapi.json", show_document, methods=["GET"]),
        Route("/docs", show_page, methods=["GET"]),
        Mount("/docs/static", StaticFiles(directory=str(static))),
    ]
