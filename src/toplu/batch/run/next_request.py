"""Chooses the request that a lane begins next, and the shard that a lane without work helps with.

    much is left ──▶ the next of the span, for its prefix      a few are left ──▶ the longest

The others wait for what is begun last. So the longest answers go first at the end of all work, if
the requests say by their `maxOutputTokens` which these are. Where they say nothing, or all the
same, nothing is known that would be worth a prefix, and the order stays as it is. Pure: what is
known is passed in, and each request is read once.
"""

from collections.abc import Callable, Iterable, Sequence

from toplu.batch.line_formats import FORMS
from toplu.batch.plan.order import RequestLine
from toplu.batch.plan.shard_cutter import REQUESTS_PER_LANE
from toplu.batch.run.leased_shard import LeasedShard
from toplu.batch.run.span import Span
from toplu.errors import InvalidArgument
from toplu.job import Job, JobId, Method
from toplu.wire.gemini.content import GenerateContentRequest

# A token that is written takes about as long as so many bytes of a prompt that are read.
BYTES_PER_OUTPUT_TOKEN = 32
# A longer line costs more to read than it is worth here.
LINE_BYTES_MAX = 64 * 1024


def is_scarce(unstarted: int, idle_lanes: int) -> bool:
    """Return whether idle lanes would begin every request that is left, at once.

    Then none is to wait behind another.
    """
    return idle_lanes > 0 and unstarted <= idle_lanes


def is_last_phase(left: float, streams: int) -> bool:
    """Return whether hardly any requests are left, as good as all of them on the lanes.

    Then none is to wait behind another: it may be the longest, and another lane free first.
    `streams` counts what is worked on side by side: lanes, or requests of one shared cache.
    """
    return left <= REQUESTS_PER_LANE * streams


def needs_help(shards: Iterable[LeasedShard], job: JobId) -> bool:
    """Return whether a shard of the job has requests that another lane could start."""
    return any(shard.unstarted > 1 for shard in shards if shard.lease.job.id == job)


def divide(shards: Iterable[LeasedShard], output_tokens: float) -> tuple[LeasedShard, Span] | None:
    """Take over a part of the shard that has most to start; None if no part is worth it.

    `output_tokens` is the mean length of an answer.
    """
    answer_bytes = BYTES_PER_OUTPUT_TOKEN * output_tokens
    for shard in sorted(shards, key=lambda shard: shard.unstarted, reverse=True):
        if (rest := shard.divide(answer_bytes)) is not None:
            return shard, rest
    return None


class AskedLengths:
    """The lengths that requests ask for their answers; each request is read once."""

    def __init__(self) -> None:
        self._asked: dict[tuple[JobId, int], int | None] = {}

    def forget(self) -> None:
        """Remember nothing; there is more to do."""
        self._asked.clear()

    def longest(
        self, job: Job, spans: Sequence[Span], output_tokens: float
    ) -> tuple[int, int] | None:
        """Return which span has the request to begin, and its place in it; None: all are held.

        The spans are of one job, and the first is the lane's own. `output_tokens` is what an
        answer is taken for that nothing is known of.
        """

        def answer_bytes(line: RequestLine) -> float:
            if (job.id, line.index) not in self._asked:
                self._asked[job.id, line.index] = output_tokens_asked(line, job.method)
            asked = self._asked[job.id, line.index]
            return BYTES_PER_OUTPUT_TOKEN * (output_tokens if asked is None else asked)

        return longest([span.startable() for span in spans], answer_bytes)


def longest(
    spans: Sequence[Iterable[tuple[int, RequestLine]]],
    answer_bytes: Callable[[RequestLine], float],
) -> tuple[int, int] | None:
    """Return which span has the request to begin, and its place there; None if there is none.

    Of each span there are the requests that may begin, with their places. The next one of the
    lane's own span, the first, has nothing to be read again; any other has what it shares.
    `answer_bytes` is what an answer costs, in bytes of a prompt that is read.
    """
    best: tuple[float, int, int] | None = None
    for number, span in enumerate(spans):
        for rank, (place, line) in enumerate(span):
            again = line.shared_bytes if number or rank else 0
            worth = answer_bytes(line) - again
            if best is None or worth > best[0]:
                best = worth, number, place
    return None if best is None else best[1:]


def output_tokens_asked(line: RequestLine, method: Method) -> int | None:
    """Return the most tokens that the request wants of its answer, if it says so."""
    if line.line is None or len(line.line) > LINE_BYTES_MAX:
        return None
    try:
        request = FORMS[method].read(line.line, line.number).request
    except InvalidArgument:
        return None
    config = request.generation_config if isinstance(request, GenerateContentRequest) else None
    return None if config is None else config.max_output_tokens
