"""One life of the planning process: it is given its task, and ends whatever happens."""

import asyncio
import contextlib
import subprocess
import sys

import msgspec

from toplu.batch.plan.ordering_child import OrderingAnswer, OrderingTask

CHILD_MODULE = "toplu.batch.plan.ordering_child"


class OrderingFailed(Exception):
    """The child ended without an answer: a full disk, say. It may be tried again."""


async def plan_in_child(task: OrderingTask) -> OrderingAnswer:
    """Return the answer of a child; none outlives the call."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        "-m",
        CHILD_MODULE,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    assert child.stderr is not None
    try:
        child.stdin.write(msgspec.json.encode(task) + b"\n")
        said, complaint = await asyncio.gather(child.stdout.read(), child.stderr.read())
    finally:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.wait()
    try:
        return msgspec.json.decode(said, type=OrderingAnswer)
    except msgspec.DecodeError as error:
        last_words = complaint.decode(errors="replace").strip().splitlines()[-1:]
        raise OrderingFailed("".join(last_words) or "The planning process ended.") from error
