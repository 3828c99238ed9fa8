"""Orders a wave: its lines are expanded, and are from then on an input like any other.

    entry ──▶ line, answers of its parents ──▶ expanded line, or its error ──▶ order, shards

A line that cannot be expanded has its outcome, which stands in the place of its request. Blocking,
and pure but for the files it is given.
"""

from collections import OrderedDict
from pathlib import Path
from typing import BinaryIO

import msgspec

from toplu.batch.chains.answers import Answer
from toplu.batch.chains.expansion import Expansion
from toplu.batch.plan.external_sort import ExternalSort
from toplu.batch.plan.ordered_copy import OrderedCopy
from toplu.batch.plan.ordering import Ordering, PlanRules, cut
from toplu.batch.plan.ordering_child import SORTER_BYTES
from toplu.batch.plan.wave_file import AMBIGUOUS, UNKNOWN, WaitingLine, read_wave
from toplu.batch.results.placements import Placements
from toplu.errors import InvalidArgument, TopluError
from toplu.job import WAVES_MAX, JobId
from toplu.store.blobs.result_log import ResultLog
from toplu.wire.gemini import jsonl, proto_json
from toplu.wire.gemini.after import Waiting, waiting_of
from toplu.wire.gemini.line_splitter import LineSpan

ANSWERS_KEPT = 64  # that lines before have asked for
TOO_DEEP = (
    f"the lines that it waits for wait for each other in a circle, or go deeper than {WAVES_MAX}"
)


class WaveTask(msgspec.Struct, frozen=True, kw_only=True):
    """The lines of a wave, what they wait for, and the files for their order."""

    rules: PlanRules
    job: JobId
    total: int  # requests of the job
    input_path: str
    wave_path: str
    placements_path: str  # where the results of the job lie in the log
    results_path: str  # the log
    folder: str  # for what is needed meanwhile; empty
    order_path: str
    copy_path: str


class WaveAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The cuts of the order."""

    shards: list[int] = []  # the size of each
    gained_bytes: int = 0  # how much longer the lines are than before
    errno: int | None = None  # of the disk's error that came instead of an order


def order_wave(task: WaveTask) -> WaveAnswer:
    """Write the lines and the order of the wave."""
    ordering = Ordering(task.rules, ExternalSort(Path(task.folder), SORTER_BYTES))
    lines_path = Path(task.folder) / "lines"
    offset = gained_bytes = 0
    with (
        Path(task.input_path).open("rb") as source,
        Path(task.wave_path).open("rb") as wave,
        lines_path.open("xb") as lines,
        Placements(Path(task.placements_path), task.total) as placements,
    ):
        answers = Answers(placements, ResultLog(Path(task.results_path)), task.job)
        for entry in read_wave(wave):
            number, line = _expanded(entry, source, answers, task.rules.line_bytes_max)
            lines.write(line + b"\n")
            ordering.add(entry.index, LineSpan(offset, len(line), number), line)
            offset += len(line) + 1
            gained_bytes += max(0, len(line) - entry.length)
    with (
        lines_path.open("rb", buffering=0) as lines,
        Path(task.order_path).open("xb") as order,
        Path(task.copy_path).open("xb") as copy,
    ):
        copied = OrderedCopy(lines, copy, task.rules.line_bytes_max)
        shards = cut(ordering, 0, task.rules, order.write, copied.moved)
    return WaveAnswer(shards=shards, gained_bytes=gained_bytes)


class Answers:
    """The answers that a job has, by the index of their requests; the last ones are kept."""

    def __init__(self, placements: Placements, results: ResultLog, job: JobId) -> None:
        self._placements = placements
        self._results = results
        self._job = job
        self._kept: OrderedDict[int, Answer] = OrderedDict()

    def of(self, index: int) -> Answer:
        """Return the answer of a request that has a result."""
        if index in self._kept:
            self._kept.move_to_end(index)
            return self._kept[index]
        answer = Answer(self._placements.line(self._results, self._job, index))
        self._kept[index] = answer
        if len(self._kept) > ANSWERS_KEPT:
            self._kept.popitem(last=False)
        return answer


def _expanded(
    entry: WaitingLine, source: BinaryIO, answers: Answers, bytes_max: int
) -> tuple[int, bytes]:
    """Return the line with its number, or its outcome with 0."""
    source.seek(entry.offset)
    line = source.read(entry.length)
    try:
        return entry.number, _expand(entry, line, answers, bytes_max)
    except proto_json.REFUSALS as refusal:
        error: TopluError = InvalidArgument(f"invalid JSON: {refusal}")
    except TopluError as fault:
        error = fault
    key, metadata = jsonl.identify(line)
    outcome = on_line(entry.number, error).as_request_error()
    return 0, jsonl.write_result(key, metadata, outcome)


def _expand(entry: WaitingLine, line: bytes, answers: Answers, bytes_max: int) -> bytes:
    waiting = waiting_of(line)
    assert waiting is not None, "it waited when the input was read"
    check_parents(entry, waiting)
    found = {
        key: answers.of(parent) for key, parent in zip(waiting.keys, entry.parents, strict=True)
    }
    return Expansion(waiting, found, bytes_max).of_line(line)


def on_line(number: int, error: TopluError) -> TopluError:
    """Return the error with the line that it is of."""
    return type(error)(f"Error on line {number}: {error.message}")


def check_expansions(waiting: Waiting, line: bytes, number: int) -> None:
    """Raise InvalidArgument, with the line, if something in it looks like an expansion only."""
    try:
        Expansion(waiting, {}, len(line) * 2).of_line(line)
    except InvalidArgument as error:
        raise on_line(number, error) from error


def check_parents(entry: WaitingLine, waiting: Waiting) -> None:
    """Raise InvalidArgument if there are no requests that the line could wait for."""
    if entry.is_too_deep:
        raise InvalidArgument(TOO_DEEP)
    for key, parent in zip(waiting.keys, entry.parents, strict=True):
        if parent == UNKNOWN:
            raise InvalidArgument(f'no line of the batch has the key "{key}", which it waits for')
        if parent == AMBIGUOUS:
            raise InvalidArgument(f'several lines have the key "{key}", which it waits for')
