"""Batches: how one is made, how it stands, and the lines of its files."""

from typing import Any, Literal

from toplu.wire.openai.chat import CompletionTokensDetails, PromptTokensDetails
from toplu.wire.openai.message import FreeForm, Message


class OutputExpiry(Message, frozen=True, kw_only=True):
    """The life of the files that a batch answers with, counted from when they were made."""

    anchor: Literal["created_at"]
    seconds: int


class NewBatch(Message, frozen=True, kw_only=True):
    """The body of the call that makes a batch."""

    input_file_id: str
    endpoint: str
    completion_window: str
    metadata: dict[str, str] | None = None
    output_expires_after: OutputExpiry | None = None


class RetryBatch(Message, frozen=True, kw_only=True):
    """The body of the call that runs the rest of a batch, of our own."""

    merge: bool = False  # have one output, with the lines that are done


class BatchFault(Message, frozen=True, kw_only=True):
    """A fault of the input file, and its place."""

    code: str
    message: str
    line: int | None = None
    param: str | None = None


class BatchFaults(Message, frozen=True, kw_only=True):
    """The faults, a bounded number of them."""

    object: Literal["list"] = "list"
    data: list[BatchFault]


class RequestCounts(Message, frozen=True, kw_only=True):
    """Lines by their outcome."""

    total: int
    completed: int
    failed: int


class BatchUsage(Message, frozen=True, kw_only=True):
    """Tokens of all lines so far."""

    input_tokens: int
    input_tokens_details: PromptTokensDetails
    output_tokens: int
    output_tokens_details: CompletionTokensDetails
    total_tokens: int


class Batch(Message, frozen=True, kw_only=True, omit_defaults=True):
    """A batch; what it does not have yet, or will never have, is absent."""

    id: str
    object: str
    endpoint: str
    model: str | None = None
    errors: BatchFaults | None = None
    input_file_id: str
    completion_window: str
    status: str
    output_file_id: str | None = None
    error_file_id: str | None = None
    created_at: int
    in_progress_at: int | None = None
    expires_at: int | None = None
    finalizing_at: int | None = None
    completed_at: int | None = None
    failed_at: int | None = None
    expired_at: int | None = None
    cancelling_at: int | None = None
    cancelled_at: int | None = None
    request_counts: RequestCounts
    usage: BatchUsage | None = None
    metadata: dict[str, str] | None = None
    toplu: FreeForm | None = None  # of ours: why it waits, what it costs


class BatchPage(Message, frozen=True, kw_only=True):
    """Some of the batches, the newest first."""

    object: Literal["list"] = "list"
    data: list[Batch]
    first_id: str | None
    last_id: str | None
    has_more: bool


class InputLine(Message, frozen=True, kw_only=True):
    """A line of an input file."""

    custom_id: str
    method: str
    url: str
    body: Any
    after: Any = None  # an extension: the ids of lines that it waits for
    after_failed: Any = None


class LineResponse(Message, frozen=True, kw_only=True):
    """The answer to a line: a body of its endpoint, or an error in the same place."""

    status_code: int
    request_id: str
    body: Any


class LineError(Message, frozen=True, kw_only=True):
    """The reason why a line has no response."""

    code: str
    message: str


class OutputLine(Message, frozen=True, kw_only=True):
    """A line of an output file or an error file."""

    id: str
    custom_id: str
    response: LineResponse | None
    error: LineError | None
