"""A run: the batch is found or made, followed to its end, and its results become the output.

input ─▶ lines ─▶ upload ─▶ batch ─▶ polls ─▶ results ─▶ output

Whoever comes after a kill finds the batch of the run by its name, and goes on behind it.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain
from typing import Any

import msgspec

from toplu.errors import Code, ConfigurationError, RequestError, TopluError, Unavailable
from toplu.oneshot.batch_calls import PRIVATE_KEY, PRIVATE_URL, BatchCalls, Operation
from toplu.oneshot.plan import RunPlan
from toplu.oneshot.private_server import (
    PATIENCE_SECONDS,
    PrivateServer,
    open_private_server,
)
from toplu.oneshot.progress import Progress
from toplu.oneshot.rows.outputs import Tally
from toplu.oneshot.run_folder import RunFolder, hold
from toplu.oneshot.stops import ExitCode, wait_for_stop
from toplu.serving.records.logs import configure_logs
from toplu.serving.stop_signals import StopSignals
from toplu.tables.files import whole_file

POLL_SECONDS_FIRST, POLL_SECONDS_MAX = 0.05, 1.0
SILENCES_MAX = 300  # polls in a row of a running server, which may be started again meanwhile

OVER_COST = RequestError(Code.CANCELLED, "not reached: the run cost as much as --max-cost allows")
ENDINGS = {
    "JOB_STATE_CANCELLED": RequestError(Code.CANCELLED, "not reached: the batch was cancelled"),
    "JOB_STATE_EXPIRED": RequestError(
        Code.DEADLINE_EXCEEDED, "not reached: the batch expired on the server"
    ),
    "JOB_STATE_SUCCEEDED": RequestError(Code.INTERNAL, "the batch has no result of this row"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnd:
    """The end of a run, and what a person is told of it."""

    code: ExitCode
    message: str


async def run(plan: RunPlan, progress: Progress) -> RunEnd:
    """Run the plan until it is done, or until a signal or the time ends it.

    Unavailable: the server is not reached. TopluError and ConfigurationError: it cannot be done.
    """
    signals = StopSignals()
    with hold(plan.options.unfinished, plan.name) as folder:
        async with asyncio.TaskGroup() as tasks:
            working = tasks.create_task(_Run(plan, folder, progress, signals).work())
            stopping = tasks.create_task(wait_for_stop(signals, plan.options.seconds_max))
            await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
            (stopping if working.done() else working).cancel()
        if not working.cancelled():
            return working.result()
        return _stopped(stopping.result(), progress, plan)


class _Run:
    """One go at a run."""

    def __init__(
        self, plan: RunPlan, folder: RunFolder, progress: Progress, signals: StopSignals
    ) -> None:
        self._plan = plan
        self._folder = folder
        self._progress = progress
        self._signals = signals
        self._private: PrivateServer | None = None
        self._is_over_cost = False

    async def work(self) -> RunEnd:
        """Return how it ended, with the output in its place."""
        try:
            tally, batch = await self._work()
        except BaseException:
            if self._folder.batch is None:
                self._folder.remove()  # there is nothing to go on with
            raise
        self._folder.remove()
        return self._done(tally, {} if batch is None else batch["metadata"].get("toplu", {}))

    async def _work(self) -> tuple[Tally, Operation | None]:
        async with self._calls() as calls:
            batch = await self._batch(calls)
            if batch is not None:
                batch = await self._follow(calls, batch["name"])
            tally = await self._write(calls, batch)
            if batch is not None and self._private is None:
                await calls.delete(batch["metadata"]["inputConfig"]["fileName"])
        return tally, batch

    @contextlib.asynccontextmanager
    async def _calls(self) -> AsyncIterator[BatchCalls]:
        options, settings = self._plan.options, self._plan.settings
        if settings is None:
            assert options.server is not None, "there is a server, private or not"
            async with BatchCalls.open(options.server, options.key or "") as calls:
                yield calls
            return
        settings = msgspec.structs.replace(settings, data_dir=self._folder.server)
        with self._folder.log.open("a") as log:
            configure_logs(settings, process="run", descriptor=log.fileno())
            async with (
                open_private_server(settings, self._signals) as self._private,
                BatchCalls.open(PRIVATE_URL, PRIVATE_KEY, self._private.socket) as calls,
            ):
                yield calls

    async def _batch(self, calls: BatchCalls) -> Operation | None:
        """Return the batch of this run: that of an earlier go at it, or a new one.

        None: no row asks anything.
        """
        name = self._folder.batch
        if name is not None and (found := await calls.find(name)) is not None:
            return found
        self._progress.say("reading")
        questions = self._plan.questions
        lines = questions.lines()
        first = await asyncio.to_thread(next, lines, None)
        self._plan.mark.check()
        if first is None:
            return None
        file = await calls.upload(self._plan.options.source.name, chain([first], lines))
        self._plan.mark.check()
        name = self._folder.name_batch()
        return await calls.create(self._plan.model, questions.method, file, name)

    async def _follow(self, calls: BatchCalls, name: str) -> Operation:
        """Return the batch when it has ended."""
        self._progress.say("asking")
        pause, silences = POLL_SECONDS_FIRST, 0
        begun = asyncio.get_running_loop().time()
        while True:
            try:
                operation = await calls.get(name)
            except Unavailable:
                silences += 1
                if silences > SILENCES_MAX or self._private is not None:
                    raise
            else:
                silences = 0
                self._progress.show(operation)
                if operation["done"]:
                    return operation
                await self._check_cost(calls, operation)
            self._check_engine(asyncio.get_running_loop().time() - begun)
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, POLL_SECONDS_MAX)

    async def _check_cost(self, calls: BatchCalls, operation: Operation) -> None:
        most = self._plan.options.max_cost
        if most is None or self._is_over_cost:
            return
        cost = operation["metadata"].get("toplu", {}).get("cost", {}).get("amount", "0")
        if Decimal(cost) >= most:
            self._is_over_cost = True
            await calls.cancel(operation["name"])

    def _check_engine(self, seconds: float) -> None:
        if self._private is None or self._plan.settings is None:
            return
        self._private.check_engines()
        waiting = self._private.waiting_for()
        self._progress.say("asking" if waiting is None else "waiting for the model")
        is_remote = self._plan.settings.models[0].is_remote
        if waiting and is_remote and seconds > PATIENCE_SECONDS and not self._progress.done:
            raise Unavailable(f"the model's server is not reached: {waiting}")

    async def _write(self, calls: BatchCalls, batch: Operation | None) -> Tally:
        """Write the output; its rows come from the input once more."""
        self._progress.say("writing")
        self._plan.mark.check()
        missing = self._missing(batch)
        path = self._plan.options.output
        try:
            with whole_file(path, mode=self._plan.mode) as file:
                output = self._plan.output(file, missing)
                if batch is not None:
                    async with calls.results(batch["name"]) as results:
                        async for lines in results:
                            await asyncio.to_thread(output.add, lines)
                await asyncio.to_thread(output.finish)
        except OSError as error:
            raise ConfigurationError(
                f"{path}: cannot be written: {error.strerror or error}; the answers are kept, "
                "start the same command again"
            ) from error
        return output.tally

    def _missing(self, batch: Operation | None) -> RequestError:
        """Return why the batch has not a result of every row; TopluError if it has none at all."""
        state = "JOB_STATE_SUCCEEDED" if batch is None else batch["metadata"]["state"]
        if batch is not None and state == "JOB_STATE_FAILED":
            self._folder.remove()
            reason, *_ = batch["error"]["message"].splitlines()
            raise TopluError(f"the batch failed: {reason}")
        return OVER_COST if self._is_over_cost else ENDINGS[state]

    def _done(self, tally: Tally, extension: dict[str, Any]) -> RunEnd:
        usage, cost = extension.get("usage", {}), extension.get("cost", {})
        told = [
            f"{self._plan.options.output}: {tally.rows} rows, {tally.failed} failed",
            f"{usage.get('promptTokenCount', 0)} tokens read",
            f"{usage.get('outputTokenCount', 0)} written",
        ]
        if Decimal(cost.get("amount", "0")):
            told.append(f"{cost['amount']} {cost['currency']}")
        if self._plan.options.run_dir is None and self._plan.options.unfinished.exists():
            told.append(f"{self._plan.options.unfinished} has runs of other commands")
        code = ExitCode.SOME_FAILED if tally.failed else ExitCode.DONE
        return RunEnd(code=code, message=", ".join(told))


def _stopped(code: ExitCode, progress: Progress, plan: RunPlan) -> RunEnd:
    why = "the time limit is near" if code is ExitCode.TIME_LIMIT else "stopped"
    kept = (
        f"{progress.done} of {progress.total} answers are kept"
        if progress.total
        else "nothing is lost"
    )
    goes_on = "" if plan.settings is not None else f"; the batch goes on at {plan.options.server}"
    return RunEnd(
        code=code, message=f"{why}: {kept}{goes_on}; start the same command again to go on"
    )
