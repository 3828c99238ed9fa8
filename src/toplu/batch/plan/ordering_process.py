"""The child process that orders a large input: one task, one answer."""

import os

import msgspec

from toplu.batch.plan.ordering_child import OrderingAnswer, OrderingTask
from toplu.child_process import ask_child

CHILD_MODULE = "toplu.batch.plan.ordering_child"
# Of the answer: the lengths of the shards, a few bytes each.
ANSWER_BYTES_MAX = 64 * 1024 * 1024


class OrderingFailed(Exception):
    """The child ended without an answer: it was killed, say. It may be tried again."""


async def plan_in_child(task: OrderingTask) -> OrderingAnswer:
    """Return the answer of a child; none outlives the call. Raises OSError for a full disk."""
    answer = await ask_child(CHILD_MODULE, task, bytes_max=ANSWER_BYTES_MAX)
    try:
        ordered = msgspec.json.decode(answer.output, type=OrderingAnswer)
    except msgspec.DecodeError as error:
        last_line = "".join(answer.last_words.splitlines()[-1:])
        raise OrderingFailed(last_line or "The planning process ended.") from error
    if ordered.errno is not None:
        raise OSError(ordered.errno, os.strerror(ordered.errno))
    return ordered
