"""The results that a new job has from the start: those of the job that it takes up."""

from dataclasses import dataclass, field

from toplu.job import Shard
from toplu.store.blobs.result_log import Segment


@dataclass(slots=True)
class Carried:
    """Shards that are done, and their logs."""

    marks: bytes = b""  # for each request of the input, 1 if it has one of these results
    shards: list[Shard] = field(default_factory=list)
    segments: list[Segment] = field(default_factory=list)

    @property
    def count(self) -> int:
        return sum(shard.count for shard in self.shards)

    @property
    def is_all(self) -> bool:
        """Whether nothing is left to run."""
        return 0 < len(self.marks) == self.count
