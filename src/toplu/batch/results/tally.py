"""Counts the outcomes of a job's requests from its results."""

from collections import Counter
from dataclasses import dataclass, field

from toplu.money import Usage


@dataclass(slots=True, kw_only=True)
class Tally:
    """Outcomes, by the index of the request."""

    responses: bytearray = field(default_factory=bytearray)  # 1 at the index of each response
    succeeded: int = 0
    failed: Counter[int] = field(default_factory=Counter)  # by the google.rpc number
    # What was used, and how many responses are copies; None: an output does not have it.
    tokens: tuple[Usage, int] | None = None

    def add(self, index: int, error_code: int | None) -> None:
        """Count an outcome; None is a response."""
        if error_code is not None:
            self.failed[error_code] += 1
            return
        self.succeeded += 1
        if index >= len(self.responses):
            self.responses.extend(bytes(index + 1 - len(self.responses)))
        self.responses[index] = 1

    def take_back(self, indexes: range) -> None:
        """Forget the responses to these requests."""
        for index in indexes:
            if self.has_response(index):
                self.responses[index] = 0
                self.succeeded -= 1

    def has_response(self, index: int) -> bool:
        """Return whether the request succeeded; one that failed or was not reached did not."""
        return index < len(self.responses) and self.responses[index] == 1
