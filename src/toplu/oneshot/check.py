"""A dry run of a file: the server that would answer says what its batch would be."""

import asyncio
import contextlib
import random
import tempfile
from collections.abc import AsyncIterator, Iterator
from itertools import chain
from pathlib import Path

import msgspec

from toplu.errors import ConfigurationError, Unavailable
from toplu.oneshot.batch_calls import PRIVATE_KEY, PRIVATE_URL, BatchCalls, Validation
from toplu.oneshot.options import AskOptions
from toplu.oneshot.plan import AskPlan
from toplu.oneshot.private_server import (
    PATIENCE_SECONDS,
    PrivateServer,
    open_private_server,
)
from toplu.oneshot.rows.questions import Questions
from toplu.serving.records.logs import configure_logs
from toplu.serving.stop_signals import StopSignals
from toplu.settings.server import Settings

MEASURED_MAX = 512  # rows that are asked to find out how long answers take
POLL_SECONDS = 0.2
SEED = 0  # the same file has the same rows measured
NAME = "toplu check"


async def check(
    options: AskOptions, plan: AskPlan, *, measured_seconds: float
) -> Validation | None:
    """Return the answer of the dry run; before it, some rows are asked for so many seconds.

    None: a signal ended it. Unavailable: the server is not reached. TopluError and
    ConfigurationError: it cannot be done.
    """
    signals = StopSignals()
    async with asyncio.TaskGroup() as tasks:
        working = tasks.create_task(_check(options, plan, measured_seconds, signals))
        stopping = tasks.create_task(signals.wait())
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        (stopping if working.done() else working).cancel()
    return None if working.cancelled() else working.result()


async def _check(
    options: AskOptions, plan: AskPlan, measured_seconds: float, signals: StopSignals
) -> Validation:
    async with _calls(options, plan, signals) as calls:
        if measured_seconds:
            await _measure(calls, plan, measured_seconds)
        file = await _upload(calls, options.source.name, plan.questions)
        try:
            return await calls.validate(plan.model, plan.questions.method, file)
        finally:
            await calls.delete(file)


@contextlib.asynccontextmanager
async def _calls(
    options: AskOptions, plan: AskPlan, signals: StopSignals
) -> AsyncIterator[BatchCalls]:
    if plan.settings is None:
        assert options.server is not None, "there is a server, private or not"
        async with BatchCalls.open(options.server, options.key or "") as calls:
            yield calls
        return
    with tempfile.TemporaryDirectory(prefix="toplu-check-") as folder:
        async with _private_calls(plan.settings, Path(folder), signals) as calls:
            yield calls


@contextlib.asynccontextmanager
async def _private_calls(
    settings: Settings, folder: Path, signals: StopSignals
) -> AsyncIterator[BatchCalls]:
    settings = msgspec.structs.replace(settings, data_dir=folder / "server")
    with (folder / "log").open("a") as log:
        configure_logs(settings, process="check", descriptor=log.fileno())
        async with (
            open_private_server(settings, signals) as private,
            BatchCalls.open(PRIVATE_URL, PRIVATE_KEY, private.socket) as calls,
        ):
            await _wait_for_model(private, is_remote=settings.models[0].is_remote)
            yield calls


async def _wait_for_model(private: PrivateServer, *, is_remote: bool) -> None:
    """Return when the model is up; Unavailable: its server shows no sign of life."""
    try:
        # An engine of ours is up or given up, however large its file is.
        async with asyncio.timeout(PATIENCE_SECONDS if is_remote else None):
            while private.waiting_for() is not None:
                private.check_engines()
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        reason = private.waiting_for()
        raise Unavailable(f"the model's server is not reached: {reason}") from None


async def _upload(calls: BatchCalls, name: str, questions: Questions) -> str:
    lines = questions.lines()
    first = await asyncio.to_thread(next, lines, None)
    if first is None:
        raise ConfigurationError(f"{name}: no row asks anything")
    return await calls.upload(name, chain([first], lines))


async def _measure(calls: BatchCalls, plan: AskPlan, seconds: float) -> None:
    """Have some rows answered, as many as can be in the time."""
    lines = await asyncio.to_thread(_sample, plan.questions.lines())
    file = await calls.upload(NAME, iter(lines))
    name = (await calls.create(plan.model, plan.questions.method, file, NAME))["name"]
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await _end_of(calls, name)
    await calls.cancel(name)
    await _end_of(calls, name)
    await calls.delete(name)
    await calls.delete(file)


async def _end_of(calls: BatchCalls, name: str) -> None:
    while True:
        if (await calls.get(name))["done"]:
            return
        await asyncio.sleep(POLL_SECONDS)


def _sample(lines: Iterator[bytes]) -> list[bytes]:
    """Return some of the lines, each as likely as any other, in no order."""
    drawn = random.Random(SEED)  # noqa: S311  # a sample, no secret
    sample: list[bytes] = []
    for number, line in enumerate(lines):
        if len(sample) < MEASURED_MAX:
            sample.append(line)
        elif (place := drawn.randrange(number + 1)) < MEASURED_MAX:
            sample[place] = line
    drawn.shuffle(sample)
    return sample
