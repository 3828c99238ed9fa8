"""The table of every call of OpenAI's API, of which its OpenAPI document is made.

Tests hold it against the router, and against what the doors answer.
"""

from typing import Any

from toplu.api.http.openapi.operated import Operated
from toplu.api.openai.gate import PREFIX
from toplu.wire.gemini.batch import BatchReceipt
from toplu.wire.openai.batch import Batch, BatchPage, NewBatch
from toplu.wire.openai.batch_validation import BatchValidation
from toplu.wire.openai.chat import ChatCompletion, ChatRequest
from toplu.wire.openai.completion import Completion, CompletionRequest
from toplu.wire.openai.embedding import Embeddings, EmbeddingsRequest
from toplu.wire.openai.file import DeletedFile, FileObject, FilePage
from toplu.wire.openai.model import Model, Models
from toplu.wire.openai.response import ResponseObject, ResponseRequest
from toplu.wire.openai.webhook import (
    DeletedEndpoint,
    Endpoint,
    EndpointChanges,
    EndpointPage,
    EndpointTest,
    EventTypes,
    NewEndpoint,
    Rotation,
    TestedEndpoint,
)

FAILURES = {
    400: "the call is wrong, or asks for what is not served here",
    401: "no key, or a wrong one",
    404: "no such model, file, batch or path",
    409: "the batch is in another state, or the key was used for another call",
    413: "the body or the file is too large",
    415: "the body is encoded in a way that is not decoded here",
    416: "the file has no such bytes",
    429: "a limit of the project is reached",
    499: "the body of the call stood still",
    500: "a fault of this server",
    503: "the model or what it needs cannot answer at the moment",
    504: "the time allowed ran out",
}
ALWAYS_FAILS = (400, 401, 404, 500)
ANSWERING = (429, 503, 504)
PAGE = ("after", "limit")
IDEMPOTENT = ("Idempotency-Key",)
ENDPOINTS = f"{PREFIX}/webhook_endpoints"
FILE_FORM: dict[str, Any] = {
    "type": "object",
    "properties": {
        "file": {"type": "string", "format": "binary"},
        "purpose": {"enum": ["batch", "user_data", "vision"]},
        "expires_after[anchor]": {"enum": ["created_at"]},
        "expires_after[seconds]": {"type": "integer", "minimum": 3600},
    },
    "required": ["file", "purpose"],
}

CALLS = (
    Operated(
        "post",
        f"{PREFIX}/chat/completions",
        "Answer a conversation.",
        takes=ChatRequest,
        gives=ChatCompletion,
        fails=ANSWERING,
        streams=True,
    ),
    Operated(
        "post",
        f"{PREFIX}/completions",
        "Go on from a text.",
        takes=CompletionRequest,
        gives=Completion,
        fails=ANSWERING,
        streams=True,
    ),
    Operated(
        "post",
        f"{PREFIX}/responses",
        "Answer a conversation, as the Responses API does; nothing is stored.",
        takes=ResponseRequest,
        gives=ResponseObject,
        fails=ANSWERING,
        streams=True,
    ),
    Operated(
        "post",
        f"{PREFIX}/embeddings",
        "Embed texts.",
        takes=EmbeddingsRequest,
        gives=Embeddings,
        fails=ANSWERING,
    ),
    Operated("get", f"{PREFIX}/models", "List models.", gives=Models),
    Operated("get", f"{PREFIX}/models/{{model}}", "Get a model.", gives=Model),
    Operated(
        "post",
        f"{PREFIX}/files",
        "Upload a file.",
        form=FILE_FORM,
        gives=FileObject,
        headers=IDEMPOTENT,
        fails=(409, 413, 429),
    ),
    Operated(
        "get",
        f"{PREFIX}/files",
        "List files.",
        gives=FilePage,
        query=(*PAGE, "order", "purpose"),
    ),
    Operated("get", f"{PREFIX}/files/{{file}}", "Get what is known of a file.", gives=FileObject),
    Operated(
        "get",
        f"{PREFIX}/files/{{file}}/content",
        "Get the bytes of a file, or a range of them.",
        headers=("Range",),
        downloads=True,
        ranges=True,
        fails=(416,),
    ),
    Operated("delete", f"{PREFIX}/files/{{file}}", "Delete a file.", gives=DeletedFile),
    Operated(
        "post",
        f"{PREFIX}/batches",
        "Make a batch of an uploaded file.",
        takes=NewBatch,
        gives=Batch,
        dry_gives=BatchValidation,
        query=("validate_only",),
        headers=IDEMPOTENT,
        fails=(409, 429, 503),
    ),
    Operated("get", f"{PREFIX}/batches", "List batches.", gives=BatchPage, query=PAGE),
    Operated("get", f"{PREFIX}/batches/{{batch}}", "Get a batch.", gives=Batch),
    Operated(
        "post", f"{PREFIX}/batches/{{batch}}/cancel", "Cancel a batch.", gives=Batch, fails=(409,)
    ),
    Operated(
        "get",
        f"{PREFIX}/batches/{{batch}}/results",
        "Get the results of a batch so far, as lines of an output file.",
        gives_lines=True,
    ),
    Operated(
        "post",
        f"{PREFIX}/batches/{{batch}}/pause",
        "Begin nothing more of a batch until it is resumed.",
        gives=Batch,
    ),
    Operated(
        "post",
        f"{PREFIX}/batches/{{batch}}/resume",
        "Go on with a batch that was paused.",
        gives=Batch,
    ),
    Operated(
        "post",
        f"{PREFIX}/batches/{{batch}}/retry",
        "Make a batch of the lines of an ended one that failed or were not reached.",
        gives=Batch,
        fails=(429,),
    ),
    Operated(
        "get",
        f"{PREFIX}/batches/{{batch}}/receipt",
        "Get the receipt of an ended batch, its outcomes counted again.",
        gives=BatchReceipt,
    ),
    Operated(
        "get",
        f"{PREFIX}/webhook_event_types",
        "List the events that endpoints may be told of.",
        gives=EventTypes,
    ),
    Operated(
        "post",
        ENDPOINTS,
        "Register a webhook endpoint; its secret is in this answer alone.",
        takes=NewEndpoint,
        gives=Endpoint,
        headers=IDEMPOTENT,
        fails=(409, 429),
    ),
    Operated("get", ENDPOINTS, "List webhook endpoints.", gives=EndpointPage, query=PAGE),
    Operated("get", f"{ENDPOINTS}/{{endpoint}}", "Get a webhook endpoint.", gives=Endpoint),
    Operated(
        "post",
        f"{ENDPOINTS}/{{endpoint}}",
        "Change a webhook endpoint.",
        takes=EndpointChanges,
        gives=Endpoint,
    ),
    Operated(
        "post",
        f"{ENDPOINTS}/{{endpoint}}/rotate_secret",
        "Make a new secret; it is in this answer alone.",
        takes=Rotation,
        gives=Endpoint,
    ),
    Operated(
        "post",
        f"{ENDPOINTS}/{{endpoint}}/test",
        "Have a sample of an event sent to a webhook endpoint, once.",
        takes=EndpointTest,
        gives=TestedEndpoint,
    ),
    Operated(
        "delete",
        f"{ENDPOINTS}/{{endpoint}}",
        "Delete a webhook endpoint with its deliveries.",
        gives=DeletedEndpoint,
    ),
)
