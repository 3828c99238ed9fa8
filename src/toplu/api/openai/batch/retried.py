"""The lines of a batch that runs again: one with several texts runs as a whole or not at all."""

import msgspec

from toplu.api.openai.batch.details import details_of
from toplu.api.openai.batch.input import form_of
from toplu.job import Job


class RetriedLines:
    """Answers the questions that a retry has about lines."""

    def requests_of(self, line: bytes) -> int:
        """Return how many requests the client's line is, if this one is the first of them."""
        form = form_of(line).form
        return form.parts if form.part == 0 else 0

    def details(self, job: Job, lines: int) -> bytes:
        """Return the details of the job, for so many of its lines."""
        return msgspec.structs.replace(details_of(job), lines=lines).encode()
