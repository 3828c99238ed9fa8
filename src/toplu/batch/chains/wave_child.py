"""The child process that orders a large wave: one task, one answer."""

from toplu.batch.chains.wave import WaveAnswer, WaveTask, order_wave
from toplu.batch.plan.ordering_child import NICENESS
from toplu.batch.plan.ordering_process import ANSWER_BYTES_MAX
from toplu.child_process import answer_order, ask_child_for

CHILD_MODULE = "toplu.batch.chains.wave_child"


async def order_in_child(task: WaveTask) -> WaveAnswer:
    """Return the answer of a child. Raises ChildEnded, and OSError for a full disk."""
    return await ask_child_for(CHILD_MODULE, task, WaveAnswer, bytes_max=ANSWER_BYTES_MAX)


if __name__ == "__main__":
    answer_order(WaveTask, order_wave, niceness=NICENESS)
