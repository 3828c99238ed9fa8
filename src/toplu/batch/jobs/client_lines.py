"""The lines of an API's client, of which one may be several requests of the job."""

import asyncio
from typing import Protocol

from toplu.batch import paths
from toplu.batch.line_reader import span_groups
from toplu.batch.results.tally import Tally
from toplu.job import Job
from toplu.store.blobs.blobs import Blobs

GROUP_LINES = 8192  # that are read at a time
GROUP_BYTES = 4 * 1024 * 1024


class ClientLines(Protocol):
    """Knows the lines of an API's client, of which one may be several requests."""

    def requests_of(self, line: bytes) -> int:
        """Return how many requests are one line with this one, the first of them; else 0."""
        ...

    def details(self, job: Job, lines: int) -> bytes:
        """Return what the API keeps of a job with so many lines of this one."""
        ...


async def take_back(blobs: Blobs, job: Job, tally: Tally, lines: ClientLines) -> int:
    """Take the responses back of lines that lack one; return how many lines these are."""
    blob = paths.input_lines(job.id)
    index = count = 0
    groups = span_groups(blobs, blob, lines_max=GROUP_LINES, bytes_max=GROUP_BYTES)
    async for group in groups:
        pieces = await blobs.read_pieces(blob, [(span.offset, span.length) for span in group])
        sizes = await asyncio.to_thread(lambda it: list(map(lines.requests_of, it)), pieces)
        for place, size in enumerate(sizes, start=index):
            requests = range(place, place + size)
            if not all(map(tally.has_response, requests)):
                tally.take_back(requests)
                count += 1
        index += len(group)
    return count
