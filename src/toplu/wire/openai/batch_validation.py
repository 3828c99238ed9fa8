"""The answer of a create call with `validate_only`: the batch that would be."""

from typing import Literal

from toplu.wire.openai.batch import BatchFaults
from toplu.wire.openai.error import ErrorObject
from toplu.wire.openai.message import Message


class ValidationCounts(Message, frozen=True, kw_only=True):
    """Requests; a line with several texts is several."""

    total: int
    faulty: int
    duplicate: int


class FaultyLine(Message, frozen=True, kw_only=True):
    """A line that cannot be answered, with the error that it would have."""

    line: int
    custom_id: str
    status_code: int
    error: ErrorObject


class TokenRange(Message, frozen=True, kw_only=True):
    """The least and the most tokens."""

    lowest: int
    highest: int


class TokenEstimate(Message, frozen=True, kw_only=True):
    """The prompt tokens of all requests; 95 times in 100 the truth is from lowest to highest."""

    token_count: int
    lowest: int
    highest: int
    counted_requests: int  # whose tokens were counted
    exact: bool


class ExpectedCost(Message, frozen=True, kw_only=True):
    """The price of the prompts, of everything, and what is saved."""

    currency: str
    prompts: str
    lowest: str
    highest: str
    saved: str  # by duplicates, and by what prompts have in common


class ExpectedFinish(Message, frozen=True, kw_only=True):
    """The time when it may be done, in seconds since 1970."""

    earliest: int
    latest: int


class ModelValidation(Message, frozen=True, kw_only=True):
    """The part of the batch that one model would answer."""

    model: str  # as it was asked for
    answered_by: str  # the model of the catalogue that this stands for
    request_counts: ValidationCounts
    input_tokens: TokenEstimate
    output_tokens: TokenRange
    shared_prompt_share: float  # from 0 to 1: of the prompts, what need not be read again
    expected_cost: ExpectedCost
    expected_finish: ExpectedFinish | None
    warnings: list[str]


class BatchValidation(Message, frozen=True, kw_only=True):
    """Everything that can be said of a batch that was not made."""

    object: Literal["batch.validation"] = "batch.validation"
    endpoint: str
    input_file_id: str
    errors: BatchFaults | None  # why the batch would fail as a whole; then there is no more
    request_counts: ValidationCounts
    faulty_lines: list[FaultyLine]  # the first of them
    expected_cost: ExpectedCost | None
    models: list[ModelValidation]
