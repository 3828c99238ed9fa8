"""The child process that orders the input of one job.

    parent ── stdin: one line of PlanningTask ───▶ child
           ◀── stdout: one line of PlanningAnswer ── exit
           ── stdin: end of file ──▶ exit

The order of ten million requests takes minutes of a processor and some memory, of which the server
has neither to spare. The end of stdin comes when the parent dies in whatever way. Lines that wait
for others are put aside, by waves: each is ordered when the ones before have their results.
"""

from contextlib import ExitStack
from pathlib import Path

import msgspec

from toplu.batch.plan.dependencies import write_waves
from toplu.batch.plan.external_sort import ExternalSort
from toplu.batch.plan.order import RECORD, pack, unpack
from toplu.batch.plan.ordered_copy import OrderedCopy
from toplu.batch.plan.ordering import Ordering, PlanRules, cut, read_requests, unmoved
from toplu.child_process import answer_order
from toplu.errors import InvalidArgument
from toplu.wire.gemini.after import waiting_of

SORTER_BYTES = 48 * 1024 * 1024
HEAD_RECORDS = 4096  # of the head's order that are copied at a time
NICENESS = 10  # requests that run are more urgent than the order of those to come


class OrderingTask(msgspec.Struct, frozen=True, kw_only=True):
    """The input to be ordered, and the file for the order."""

    rules: PlanRules
    input_path: str
    head_path: str | None  # the order of the first requests, which are leased already
    head_count: int  # requests: the first ones that wait for nothing
    carried_path: str | None = None  # marks the requests that are not to run
    folder: str  # for what is needed meanwhile; empty
    order_path: str
    copy_path: str | None = None  # for the lines in order, if they are to lie so


class OrderingAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The cuts of the order behind the head; or the fault of the input as a whole."""

    total: int = 0  # of requests that are to run, the head and those that wait included
    shards: list[int] = []  # the size of each
    waves: list[str] = []  # files of the lines that wait, the first wave first
    refusal: str | None = None
    errno: int | None = None  # of the disk's error that came instead of an order


def plan_input(task: OrderingTask) -> OrderingAnswer:
    """Write the order of all requests that wait for nothing, and who waits for whom."""
    rules = task.rules
    ordering = Ordering(rules, ExternalSort(Path(task.folder), SORTER_BYTES), first=task.head_count)
    carried = b"" if task.carried_path is None else Path(task.carried_path).read_bytes()
    passed = waiting = 0
    with Path(task.input_path).open("rb") as file:
        for index, span, line in read_requests(file, rules.line_bytes_max, carried):
            if line is not None and waiting_of(line) is not None:
                waiting += 1
            elif passed < task.head_count:
                passed += 1
            else:
                try:
                    ordering.add(index, span, line)
                except InvalidArgument as refusal:
                    return OrderingAnswer(refusal=refusal.message)
    if ordering.total + waiting > rules.requests_max:
        return OrderingAnswer(refusal=ordering.too_many.message)
    shards = _write_order(task, ordering)
    waves: list[Path] = []
    if waiting:
        folder, line_bytes_max = Path(task.folder), rules.line_bytes_max
        waves = write_waves(
            Path(task.input_path),
            folder,
            line_bytes_max,
            carried=carried,
            memory_bytes=SORTER_BYTES,
        )
    return OrderingAnswer(
        total=ordering.total + waiting, shards=shards, waves=[str(path) for path in waves]
    )


def _write_order(task: OrderingTask, ordering: Ordering) -> list[int]:
    """Write the order, the head's first, and the copy if there is to be one; return the shards."""
    with ExitStack() as held:
        order = held.enter_context(Path(task.order_path).open("xb"))
        moved = unmoved
        if task.copy_path is not None:
            lines = held.enter_context(Path(task.input_path).open("rb", buffering=0))
            copy = held.enter_context(Path(task.copy_path).open("xb"))
            moved = OrderedCopy(lines, copy, task.rules.line_bytes_max).moved
        if task.head_path is not None:
            head = held.enter_context(Path(task.head_path).open("rb"))
            while records := head.read(HEAD_RECORDS * RECORD.size):
                order.write(pack(moved(unpack(records))))
        return cut(ordering, task.head_count, task.rules, order.write, moved)


def run_child() -> None:
    """Do the task that stdin names, and write how it went."""
    answer_order(OrderingTask, plan_input, niceness=NICENESS)


if __name__ == "__main__":
    run_child()
