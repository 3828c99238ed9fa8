"""The answer of a create call with `validateOnly`: the batch that would be."""

from typing import Any

from toplu.wire.gemini.batch import Cost, ExpectedFinish
from toplu.wire.gemini.message import FreeForm, Int64, Message


class KeptInput(Message, frozen=True, kw_only=True):
    """The input of a batch that is not made, as one process names it to another."""

    job: str  # under whose id it is kept
    model: str  # as it was asked for


class LineError(Message, frozen=True, kw_only=True, omit_defaults=False):
    """The error that a request would have for its outcome, as a google.rpc.Status."""

    code: int
    message: str
    status: str


class FaultyLine(Message, frozen=True, kw_only=True):
    """A line that cannot be answered."""

    line_number: int  # from 1, blank lines counted; of an inline batch, the place of the request
    key: Any = None
    metadata: FreeForm | None = None
    error: LineError


class TokenEstimate(Message, frozen=True, kw_only=True, omit_defaults=False):
    """The prompt tokens of all requests; 95 times in 100 the truth is from lowest to highest."""

    token_count: Int64
    lowest: Int64
    highest: Int64
    counted_request_count: Int64  # whose tokens were counted
    exact: bool


class TokenRange(Message, frozen=True, kw_only=True, omit_defaults=False):
    """The least and the most tokens."""

    lowest: Int64
    highest: Int64


class SharedPrefixes(Message, frozen=True, kw_only=True, omit_defaults=False):
    """The parts of prompts that need not be read twice."""

    prompt_share: float  # from 0 to 1: of the prompts, what the request before begins with as well
    savings: Cost  # what the batch would cost more without it, and without duplicates


class ExpectedCost(Message, frozen=True, kw_only=True, omit_defaults=False):
    """The price of the prompts, and of everything."""

    prompts: Cost
    lowest: Cost
    highest: Cost


class BatchValidation(Message, frozen=True, kw_only=True):
    """Everything that can be said of a batch that was not made."""

    model: str  # as it was asked for
    answered_by: str  # the model of the catalogue that this stands for
    request_count: Int64
    faulty_request_count: Int64
    faulty_lines: list[FaultyLine] | None = None  # the first of them
    duplicate_request_count: Int64
    prompt_tokens: TokenEstimate
    output_tokens: TokenRange
    shared_prefixes: SharedPrefixes
    expected_cost: ExpectedCost
    expected_finish: ExpectedFinish | None = None  # None: no speed was measured
    target_time: str
    warnings: list[str] | None = None
