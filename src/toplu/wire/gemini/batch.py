"""Batches: what a client sends to make one, and the Operation it polls."""

from typing import Any

import msgspec

from toplu.wire.gemini.content import GenerateContentRequest
from toplu.wire.gemini.message import FreeForm, Int64, Message
from toplu.wire.gemini.webhook import WebhookConfig

# The hosted service writes this package name; one strict client maps on it.
TYPE_PREFIX = "type.googleapis.com/google.ai.generativelanguage.v1main."


class InlinedEntry(Message, frozen=True, kw_only=True):
    """An entry of the create call, whatever its request is: with the client's own metadata."""

    metadata: FreeForm | None = None


class InlinedRequest(InlinedEntry, frozen=True, kw_only=True):
    """One GenerateContent request inside the create call."""

    request: GenerateContentRequest | None = None


class InlinedRequests(Message, frozen=True, kw_only=True):
    """The doubled `requests.requests` of the wire."""

    requests: list[InlinedRequest] | None = None


class InputSource(Message, frozen=True, kw_only=True):
    """An uploaded file; or else the requests themselves, which its subclasses add."""

    file_name: str | None = None


class InputConfig(InputSource, frozen=True, kw_only=True):
    """Exactly one of the two is set."""

    requests: InlinedRequests | None = None


class NewBatch(Message, frozen=True, kw_only=True):
    """A batch to be created, whatever its requests are; its subclasses add `input_config`."""

    model: str | None = None
    display_name: str | None = None
    priority: Int64 | None = None
    webhook_config: WebhookConfig | None = None
    # Set by the server; clients may send back what they got, and it is not acted on.
    name: Any = None
    output: Any = None
    create_time: Any = None
    update_time: Any = None
    end_time: Any = None
    batch_stats: Any = None
    state: Any = None


class GenerateContentBatch(NewBatch, frozen=True, kw_only=True):
    """A batch of GenerateContent requests to be created."""

    input_config: InputConfig | None = None


class BatchGenerateContentRequest(Message, frozen=True, kw_only=True):
    """The body of `:batchGenerateContent`."""

    batch: GenerateContentBatch | None = None


class RetryBatchRequest(Message, frozen=True, kw_only=True):
    """The body of `:retry`, a call of our own."""

    display_name: str | None = None
    merge: bool | None = None  # have one output, with the responses that there are


class BatchStats(Message, frozen=True, kw_only=True):
    """Counts of requests; a zero is left out."""

    request_count: Int64 | None = None
    successful_request_count: Int64 | None = None
    failed_request_count: Int64 | None = None
    pending_request_count: Int64 | None = None


class InlinedResponses(Message, frozen=True, kw_only=True):
    """The list inside the doubled `inlinedResponses.inlinedResponses`."""

    inlined_responses: list[msgspec.Raw]  # written already, or a mark of where they go


class BatchOutput(Message, frozen=True, kw_only=True):
    """The place of the results; exactly one is set."""

    type_url: str | None = msgspec.field(default=None, name="@type")
    responses_file: str | None = None
    inlined_responses: InlinedResponses | None = None
    # Instead of the field above, where the SDKs could not know what the results are of.
    inlined_embed_content_responses: InlinedResponses | None = None


class TokenTotals(Message, frozen=True, kw_only=True, omit_defaults=False):
    """The usage metadata of the results, added up."""

    prompt_token_count: Int64
    cached_content_token_count: Int64
    output_token_count: Int64


class Cost(Message, frozen=True, kw_only=True, omit_defaults=False):
    """An exact decimal amount."""

    currency: str
    amount: str


class InputOrigin(Message, frozen=True, kw_only=True):
    """The address that an input was fetched from, and what its server called that version."""

    uri: str  # without its query, which may be a signature
    etag: str | None = None


class Outcomes(Message, frozen=True, kw_only=True, omit_defaults=False):
    """The number of requests by outcome; together they are all of the batch."""

    succeeded: Int64
    failed: dict[str, Int64]  # by the name of the error's google.rpc code
    not_reached: Int64


class Attempts(Message, frozen=True, kw_only=True, omit_defaults=False):
    """The number of times that work was handed out."""

    shard_count: Int64
    lease_count: Int64  # more than shards where work was released for others or taken over


class Reproducibility(Message, frozen=True, kw_only=True, omit_defaults=False):
    """Facts of what computed answers of a batch: equal ones, on one lane, make equal bytes."""

    engine: str
    build: str  # of toplu, and of the library that computes
    model_sha256: str | None
    template_sha256: str | None
    settings_sha256: str
    lanes: int
    seeds: str
    reproducible: bool


class BatchReceipt(Message, frozen=True, kw_only=True):
    """The summary of a batch that has ended."""

    name: str
    display_name: str | None = None
    state: str
    model: str  # as it was asked for
    answered_by: str  # the model of the catalogue that this stood for
    create_time: str
    end_time: str | None = None
    input_sha256: str | None = None
    output_sha256: str | None = None
    input_origin: InputOrigin | None = None  # of an input that was fetched
    request_count: Int64
    outcomes: Outcomes
    attempts: Attempts
    usage: TokenTotals
    deduplicated_request_count: Int64
    reused_request_count: Int64
    reused_token_count: Int64
    carried_request_count: Int64
    cost: Cost
    retry_of: str | None = None
    retried_by: str | None = None
    reproducibility: list[Reproducibility] | None = None  # of each that computed something
    balances: bool
    parts: "list[BatchReceipt] | None" = None  # for each engine, of a batch that has several


class Lanes(Message, frozen=True, kw_only=True, omit_defaults=False):
    """The lanes of the engine that work for the batch, of all that there are."""

    busy: int
    total: int


class BatchWaiting(Message, frozen=True, kw_only=True, omit_defaults=False):
    """The reason why an unfinished batch waits."""

    reason: str
    message: str
    position: int
    tokens_ahead: Int64
    lanes: Lanes


class ExpectedFinish(Message, frozen=True, kw_only=True, omit_defaults=False):
    """Between when and when a batch may be finished."""

    earliest: str
    latest: str


class BatchExtension(Message, frozen=True, kw_only=True):
    """Fields that the hosted service does not have; SDKs pass over them."""

    usage: TokenTotals
    cost: Cost
    deduplicated_request_count: Int64 | None = None
    reused_request_count: Int64 | None = None
    carried_request_count: Int64 | None = None
    retry_of: str | None = None
    retried_by: str | None = None
    waiting: BatchWaiting | None = None
    expected_finish: ExpectedFinish | None = None
    warnings: list[str] | None = None


class BatchMetadata(Message, frozen=True, kw_only=True):
    """The batch resource as it stands."""

    type_url: str | None = msgspec.field(default=None, name="@type")  # inside an Operation
    name: str
    model: str
    display_name: str | None = None
    input_config: InputConfig | None = None
    output: BatchOutput | None = None
    create_time: str
    update_time: str
    end_time: str | None = None
    batch_stats: BatchStats | None = None
    paused: bool | None = None  # of our own; a state of the one style, and not of the other
    state: str
    priority: Int64 | None = None
    toplu: BatchExtension | None = None


class OperationError(Message, frozen=True, kw_only=True, omit_defaults=False):
    """A google.rpc.Status; `code` is the google.rpc number."""

    code: int
    message: str


class Operation(Message, frozen=True, kw_only=True):
    """The answer of every batch call.

    `done` is always written: the specification's script greps for "false", and the SDKs
    ignore it. The output stands twice, where the SDKs and where REST clients look for it.
    """

    name: str
    metadata: BatchMetadata
    done: bool
    response: BatchOutput | None = None
    error: OperationError | None = None


class ListOperationsResponse(Message, frozen=True, kw_only=True):
    """A page of batches."""

    operations: list[Operation] | None = None
    next_page_token: str | None = None
