"""The table of every call, of which `openapi_document` makes the OpenAPI document.

Tests hold it against the router, and against what the doors answer.
"""

from toplu.api.gemini.openapi_webhooks import WEBHOOK_CALLS
from toplu.api.gemini.state_style import STATE_STYLE_HEADER
from toplu.api.http.openapi.operated import Operated
from toplu.wire.gemini.batch import (
    BatchGenerateContentRequest,
    BatchMetadata,
    BatchReceipt,
    GenerateContentBatch,
    ListOperationsResponse,
    Operation,
    RetryBatchRequest,
)
from toplu.wire.gemini.batch_validation import BatchValidation
from toplu.wire.gemini.cached_content import CachedContent, ListCachedContentsResponse
from toplu.wire.gemini.content import (
    CountTokensRequest,
    CountTokensResponse,
    GenerateContentRequest,
    GenerateContentResponse,
)
from toplu.wire.gemini.embedding import (
    AsyncBatchEmbedContentRequest,
    BatchEmbedContentsRequest,
    BatchEmbedContentsResponse,
    EmbedContentBatch,
    EmbedContentRequest,
    EmbedContentResponse,
)
from toplu.wire.gemini.file import (
    CreateFileRequest,
    CreateFileResponse,
    File,
    ListFilesResponse,
    RegisterFilesRequest,
    RegisterFilesResponse,
)
from toplu.wire.gemini.model import ListModelsResponse, Model

PAGE = ("pageSize", "pageToken")
STYLE = (STATE_STYLE_HEADER,)
UPLOAD_HEADERS = (
    "X-Goog-Upload-Protocol",
    "X-Goog-Upload-Command",
    "X-Goog-Upload-Offset",
    "X-Goog-Upload-Header-Content-Length",
    "X-Goog-Upload-Header-Content-Type",
    "X-Goog-Upload-File-Name",
)

FAILURES = {
    400: "the call is wrong, or its key is",
    403: "no key, or no such file or cache",
    404: "no such model, batch or method",
    409: "the name is taken",
    415: "the body is encoded in a way that is not decoded here",
    429: "a limit of the project is reached",
    499: "the body of the call stood still",
    500: "a fault of this server",
    501: "known to the Gemini API, and not served here",
    503: "the model or what it needs cannot answer at the moment",
    504: "the time allowed ran out",
}
ALWAYS_FAILS = (400, 403, 404, 500)
ANSWERING = (429, 501, 503, 504)  # what else an answer of a model may fail with
CREATING = (429, 501, 503, 504)
UPLOADING = (409, 429)

CALLS = (
    Operated("get", "/healthz", "Whether the process lives.", is_health=True),
    Operated(
        "get",
        "/readyz",
        "Whether every engine is ready that is not lazy.",
        fails=(503,),
        is_health=True,
    ),
    Operated("get", "/{version}/models", "List models.", gives=ListModelsResponse, query=PAGE),
    Operated("get", "/{version}/models/{model}", "Get a model.", gives=Model),
    Operated("get", "/{version}/tunedModels", "List tuned models: there are none."),
    Operated(
        "post",
        "/{version}/models/{model}:generateContent",
        "Answer one request at once.",
        takes=GenerateContentRequest,
        gives=GenerateContentResponse,
        fails=ANSWERING,
    ),
    Operated(
        "post",
        "/{version}/models/{model}:streamGenerateContent",
        "Answer one request in chunks, while it is answered; as events with alt=sse.",
        takes=GenerateContentRequest,
        gives=GenerateContentResponse,
        query=("alt",),
        streams=True,
        fails=ANSWERING,
    ),
    Operated(
        "post",
        "/{version}/models/{model}:countTokens",
        "Count the tokens of a prompt.",
        takes=CountTokensRequest,
        gives=CountTokensResponse,
        fails=ANSWERING,
    ),
    Operated(
        "post",
        "/{version}/models/{model}:batchGenerateContent",
        "Create a batch, from requests in the body or from an uploaded JSONL file.",
        takes=BatchGenerateContentRequest,
        gives=Operation,
        dry_gives=BatchValidation,
        query=("validateOnly",),
        headers=STYLE,
        fails=CREATING,
    ),
    Operated(
        "post",
        "/{version}/models/{model}:embedContent",
        "Embed one text at once.",
        takes=EmbedContentRequest,
        gives=EmbedContentResponse,
        fails=ANSWERING,
    ),
    Operated(
        "post",
        "/{version}/models/{model}:batchEmbedContents",
        "Embed several texts at once.",
        takes=BatchEmbedContentsRequest,
        gives=BatchEmbedContentsResponse,
        fails=ANSWERING,
    ),
    Operated(
        "post",
        "/{version}/models/{model}:asyncBatchEmbedContent",
        "Create a batch of embeddings, from requests in the body or from an uploaded JSONL file.",
        takes=AsyncBatchEmbedContentRequest,
        gives=Operation,
        dry_gives=BatchValidation,
        query=("validateOnly",),
        headers=STYLE,
        fails=CREATING,
    ),
    Operated(
        "get",
        "/{version}/batches",
        "List batches.",
        gives=ListOperationsResponse,
        query=(*PAGE, "filter"),
        headers=STYLE,
        fails=(501,),
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
        fails=(501,),
    ),
    Operated(
        "patch",
        "/{version}/batches/{batch}:updateEmbedContentBatch",
        "Change the name or the priority of a batch of embeddings.",
        takes=EmbedContentBatch,
        gives=BatchMetadata,
        query=("updateMask",),
        headers=STYLE,
        fails=(501,),
    ),
    Operated("post", "/{version}/batches/{batch}:cancel", "Cancel a batch."),
    Operated("get", "/{version}/batches/{batch}:cancel", "Cancel a batch, as the docs' curl does."),
    Operated(
        "post",
        "/{version}/batches/{batch}:pause",
        "Begin nothing more of a batch until it is resumed.",
        gives=Operation,
        headers=STYLE,
    ),
    Operated(
        "post",
        "/{version}/batches/{batch}:resume",
        "Go on with a batch that was paused.",
        gives=Operation,
        headers=STYLE,
    ),
    Operated(
        "get",
        "/{version}/batches/{batch}:results",
        "Get the results of a batch so far, as JSON lines, or wait for the next ones.",
        gives_lines=True,
        query=("after", "wait", "order"),
    ),
    Operated(
        "post",
        "/{version}/batches/{batch}:retry",
        "Create a batch of the requests of an ended one that failed or were not reached.",
        takes=RetryBatchRequest,
        gives=Operation,
        headers=STYLE,
        fails=(429,),
    ),
    Operated(
        "get",
        "/{version}/batches/{batch}:receipt",
        "Get the receipt of an ended batch, its outcomes counted again.",
        gives=BatchReceipt,
        headers=STYLE,
    ),
    Operated("delete", "/{version}/batches/{batch}", "Delete a batch."),
    Operated("post", "/{version}/batches/{batch}:delete", "Delete a batch."),
    Operated("get", "/{version}/batches/{batch}:delete", "Delete a batch, as the docs' curl does."),
    *WEBHOOK_CALLS,
    Operated(
        "post",
        "/{version}/cachedContents",
        "Keep contents to put before requests.",
        takes=CachedContent,
        gives=CachedContent,
        fails=ANSWERING,
    ),
    Operated(
        "get",
        "/{version}/cachedContents",
        "List caches.",
        gives=ListCachedContentsResponse,
        query=PAGE,
    ),
    Operated("get", "/{version}/cachedContents/{cache}", "Get a cache.", gives=CachedContent),
    Operated(
        "patch",
        "/{version}/cachedContents/{cache}",
        "Change when a cache expires.",
        takes=CachedContent,
        gives=CachedContent,
        query=("updateMask",),
    ),
    Operated("delete", "/{version}/cachedContents/{cache}", "Delete a cache."),
    Operated(
        "post",
        "/upload/{version}/files",
        "Begin or continue an upload (resumable, multipart or raw).",
        takes=CreateFileRequest,
        gives=CreateFileResponse,
        query=("upload_id",),
        headers=UPLOAD_HEADERS,
        fails=UPLOADING,
        uploads=True,
    ),
    Operated(
        "put",
        "/upload/{version}/files",
        "Continue a resumable upload.",
        takes=CreateFileRequest,
        gives=CreateFileResponse,
        query=("upload_id",),
        headers=UPLOAD_HEADERS,
        fails=UPLOADING,
        uploads=True,
    ),
    Operated("get", "/{version}/files", "List files.", gives=ListFilesResponse, query=PAGE),
    Operated("post", "/{version}/files", "Refused: a file needs its bytes."),
    Operated(
        "post",
        "/{version}/files:register",
        "Make files of what is at some addresses.",
        takes=RegisterFilesRequest,
        gives=RegisterFilesResponse,
        fails=(429,),
    ),
    Operated("get", "/{version}/files/{file}", "Get a file's metadata.", gives=File),
    Operated("delete", "/{version}/files/{file}", "Delete a file."),
    Operated("get", "/{version}/files/{file}:download", "Download a file.", downloads=True),
    Operated(
        "get", "/download/{version}/files/{file}:download", "Download a file.", downloads=True
    ),
)
