"""The part of a job that OpenAI's API alone knows; it stands in the job's row."""

import msgspec

from toplu.job import Job
from toplu.wire.openai.batch import BatchFault


class BatchDetails(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The rest of what its client said of a batch, and what is wrong with its file."""

    endpoint: str
    input_file_id: str
    completion_window: str
    metadata: dict[str, str] | None = None
    output_life_seconds: int | None = None  # of its files; None: as long as the batch is kept
    lines: int = 0  # of the input file; a line with several texts is several requests
    faults: list[BatchFault] = []

    def encode(self) -> bytes:
        """Return what the row keeps."""
        return msgspec.json.encode(self)


def details_of(job: Job) -> BatchDetails:
    """Return the details of a job that came by this API."""
    assert job.wire_details is not None, "it came by this API"
    return decode_details(job.wire_details)


def decode_details(kept: bytes) -> BatchDetails:
    """Return the details that were encoded."""
    return msgspec.json.decode(kept, type=BatchDetails)
