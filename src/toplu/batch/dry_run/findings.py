"""The things that reading an input finds of it, as the child that reads it says them."""

from enum import StrEnum
from typing import Any, Self

import msgspec

from toplu.batch.plan.ordering import PlanRules
from toplu.errors import TopluError
from toplu.wire.gemini import jsonl

FAULTS_MAX = 100  # that are named; all are counted


class Kind(StrEnum):
    """The kind of a request that can be read."""

    PLAIN = "plain"  # its line is all of it
    LONG = "long"  # so is this one's, and it may be too much for the model
    LOOKED_UP = "looked_up"  # with files or a cache, which may be there or not


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """The input to be read, and how much of it is wanted for a sample."""

    rules: PlanRules
    input_path: str
    folder: str  # for what is needed meanwhile; empty
    samples_max: dict[Kind, int]
    long_bytes: int  # text from here on may not fit the model


class LineFault(msgspec.Struct, frozen=True, kw_only=True):
    """A line that would have an error for its outcome."""

    number: int  # of the physical line, from 1
    key: jsonl.Key = None
    metadata: dict[str, Any] | None = None  # of the line, as its client wrote it
    code: int  # of google.rpc
    message: str

    @classmethod
    def of(
        cls, error: TopluError, number: int, key: jsonl.Key, metadata: dict[str, Any] | None
    ) -> Self:
        """Return the fault of a line whose request has that error for its outcome."""
        fault = error.as_request_error()
        return cls(
            number=number, key=key, metadata=metadata, code=fault.code, message=fault.message
        )


class SampledLine(msgspec.Struct, frozen=True, gc=False):
    """A request whose tokens are to be counted: where its line lies, and how long its text is."""

    offset: int
    length: int
    number: int
    text_bytes: int


class Stratum(msgspec.Struct, kw_only=True):
    """Requests of one kind: those that are run, without duplicates."""

    count: int = 0
    text_bytes: int = 0
    sample: list[SampledLine] = []


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about an input that can be said without its model."""

    total: int = 0
    faulty: int = 0
    faults: list[LineFault] = []
    duplicates: int = 0
    strata: dict[Kind, Stratum] = {}
    shared_bytes: int = 0  # of the text of all, what the request before begins with as well
    output_limits: list[tuple[int, int]] = []  # tokens an answer may have, of how many requests
    refusal: str | None = None  # why the input as a whole would be refused
    errno: int | None = None  # of the disk's error that came instead

    @property
    def run_count(self) -> int:
        """The requests that an engine would be asked."""
        return sum(stratum.count for stratum in self.strata.values())

    @property
    def text_bytes(self) -> int:
        return sum(stratum.text_bytes for stratum in self.strata.values())
