"""What became of each request of a job, counted anew from its results."""

from collections import Counter
from dataclasses import dataclass, field

from toplu.money import NO_TOKENS, Usage


@dataclass(slots=True, kw_only=True)
class Tally:
    """Outcomes, by the index of the request."""

    responses: bytearray = field(default_factory=bytearray)  # 1 at the index of each response
    succeeded: int = 0
    deduplicated: int = 0  # of the succeeded; not told by an output
    failed: Counter[int] = field(default_factory=Counter)  # by the google.rpc number
    usage: Usage = NO_TOKENS  # not told by an output

    def add(self, index: int, error_code: int | None) -> None:
        """Count an outcome; None is a response."""
        if error_code is not None:
            self.failed[error_code] += 1
            return
        self.succeeded += 1
        if index >= len(self.responses):
            self.responses.extend(bytes(index + 1 - len(self.responses)))
        self.responses[index] = 1

    def has_response(self, index: int) -> bool:
        """Whether the request succeeded; one that failed or was not reached did not."""
        return index < len(self.responses) and self.responses[index] == 1
