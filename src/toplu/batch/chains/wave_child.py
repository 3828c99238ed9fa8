"""The child process that orders a large wave: one task, one answer."""

import os

from toplu.batch.chains.wave import WaveAnswer, WaveTask, order_wave
from toplu.batch.plan.ordering_child import NICENESS
from toplu.child_process import answer_order, ask_child_for

CHILD_MODULE = "toplu.batch.chains.wave_child"
# Of the answer: the lengths of the shards, a few bytes each.
ANSWER_BYTES_MAX = 64 * 1024 * 1024


async def order_in_child(task: WaveTask) -> WaveAnswer:
    """Return the answer of a child. Raises ChildEnded, and OSError for a full disk."""
    ordered = await ask_child_for(CHILD_MODULE, task, WaveAnswer, bytes_max=ANSWER_BYTES_MAX)
    if ordered.errno is not None:
        raise OSError(ordered.errno, os.strerror(ordered.errno))
    return ordered


if __name__ == "__main__":
    answer_order(WaveTask, order_wave, lambda errno: WaveAnswer(errno=errno), niceness=NICENESS)
