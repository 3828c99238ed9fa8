"""The end of the work in good order, and how a second signal hurries it."""

import asyncio

from toplu.batch.pipeline import Pipeline
from toplu.serving.stop_signals import StopSignals


async def drain(pipeline: Pipeline, signals: StopSignals, *, hurries: bool = False) -> None:
    """Return when nothing runs and all is durable; another signal ends the wait for what runs.

    `hurries` ends it at once.
    """
    async with asyncio.TaskGroup() as tasks:
        draining = tasks.create_task(pipeline.drain())
        impatient = tasks.create_task(signals.wait())
        if hurries:
            impatient.cancel()
        await asyncio.wait({draining, impatient}, return_when=asyncio.FIRST_COMPLETED)
        impatient.cancel()
        pipeline.stop_requests()
