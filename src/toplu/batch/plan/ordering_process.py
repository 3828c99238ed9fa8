"""The child process that orders a large input: one task, one answer."""

from toplu.batch.plan.ordering_child import OrderingAnswer, OrderingTask
from toplu.child_process import ask_child_for

CHILD_MODULE = "toplu.batch.plan.ordering_child"
# Of the answer: the lengths of the shards, a few bytes each.
ANSWER_BYTES_MAX = 64 * 1024 * 1024


async def plan_in_child(task: OrderingTask) -> OrderingAnswer:
    """Return the answer of a child. Raises ChildEnded, and OSError for a full disk."""
    return await ask_child_for(CHILD_MODULE, task, OrderingAnswer, bytes_max=ANSWER_BYTES_MAX)
