import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest

from support.fleet.scripted_engine import RestlessClock, captured_logs, eventually
from support.waiting import PATIENCE_SECONDS
from toplu.engines.echo.embedder import EchoEmbedder
from toplu.errors import Internal, InvalidArgument, Unavailable
from toplu.fleet.embedding.pool import EmbeddingPool
from toplu.fleet.processes.launch import RunningEcho
from toplu.fleet.processes.supervisor import EngineGivenUp, EngineStopped, Supervisor
from toplu.replica import EngineState
from toplu.settings.server import EchoSettings, ModelSettings, Settings
from toplu.wire.gemini.content import Content, Part
from toplu.wire.gemini.embedding import EmbedContentRequest, EmbedContentResponse

MODEL = ModelSettings(
    name="m",
    engine="echo_embedder",
    dimensions=16,
    context_tokens=9,
    lazy=True,
    echo=EchoSettings(crash_pattern="crash", fail_pattern="fail"),
)
SLOW = msgspec.structs.replace(MODEL, echo=EchoSettings(delay_seconds=600))


def a_request(text: str, **fields) -> EmbedContentRequest:
    return EmbedContentRequest(content=Content(parts=[Part(text=text)]), **fields)


class World:
    """A pool above echo embedders."""

    def __init__(self, model: ModelSettings = MODEL, *, starts: bool = True, **settings) -> None:
        self.lives: list[EchoEmbedder] = []
        self._model = model
        self._starts = starts
        values = Settings(**settings)
        self.supervisor = Supervisor(
            name="m",
            launch=self._launch,
            clock=RestlessClock(),
            start_attempts_max=3,
            lazy=model.lazy,
        )
        self.pool = EmbeddingPool(model=model, supervisor=self.supervisor, settings=values)

    async def _launch(self) -> RunningEcho[EchoEmbedder]:
        if not self._starts:
            raise OSError("no such model")
        self.lives.append(EchoEmbedder(self._model))
        return RunningEcho(self.lives[-1])

    @property
    def groups(self) -> list[list[str]]:
        return [group for life in self.lives for group in life.groups]

    async def ask(self, text: str, *, interactive: bool = False) -> EmbedContentResponse:
        return await self.pool.answer(a_request(text), interactive=interactive, label=text)


@asynccontextmanager
async def world(model: ModelSettings = MODEL, **options) -> AsyncIterator[World]:
    made = World(model, **options)
    with captured_logs():
        async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as group:
            runs = [group.create_task(run()) for run in (made.supervisor.run, made.pool.run)]
            yield made
            for run in runs:
                run.cancel()


async def test_texts_that_wait_together_travel_together():
    async with world() as here:
        await asyncio.gather(*(here.ask(f"text {number}") for number in range(40)))
    assert [len(group) for group in here.groups] == [40]


async def test_a_lazy_engine_sleeps_until_it_is_asked():
    async with world() as here:
        await asyncio.sleep(0)
        assert here.supervisor.state is EngineState.IDLE
        await here.ask("text")
        assert here.supervisor.state is EngineState.READY


async def test_a_group_that_fails_fails_only_whom_it_should():
    async with world() as here:
        outcomes = await asyncio.gather(
            *(here.ask(text) for text in ("a", "fail", "b")), return_exceptions=True
        )
    assert [isinstance(outcome, Internal) for outcome in outcomes] == [False, True, False]


async def test_a_text_that_crashes_the_engine_is_condemned_and_the_others_answered():
    async with world() as here:
        outcomes = await asyncio.gather(
            *(here.ask(text) for text in ("a", "crash", "b", "c")), return_exceptions=True
        )
    assert [isinstance(outcome, Internal) for outcome in outcomes] == [False, True, False, False]
    assert str(outcomes[1]) == "The engine crashed 3 times on this request."
    assert len(here.lives) == 4
    # Whoever was there when it happened went again, alone.
    assert all(len(group) == 1 for group in here.groups[1:])


async def test_a_request_that_breaks_a_rule_never_reaches_the_engine():
    async with world() as here:
        with pytest.raises(InvalidArgument, match=r"range \[1, 16\]"):
            await here.pool.answer(a_request("x", output_dimensionality=17), interactive=False)
        assert here.supervisor.state is EngineState.IDLE


async def test_too_many_interactive_calls_are_turned_away():
    async with world(SLOW, interactive_waiting_max=2) as here, asyncio.TaskGroup() as group:
        waiting = [group.create_task(here.ask("x", interactive=True)) for _ in range(2)]
        await eventually(lambda: here.groups)
        with pytest.raises(Unavailable, match="overloaded"):
            await here.ask("x", interactive=True)
        for task in waiting:
            task.cancel()


async def test_an_interactive_call_does_not_wait_for_ever():
    async with world(SLOW, request_seconds_max=0.05) as here:
        with pytest.raises(Unavailable, match="Please try again later"):
            await here.ask("x", interactive=True)


async def test_an_engine_that_does_not_start_fails_its_calls():
    async with world(starts=False) as here:
        for interactive in (True, False):
            with pytest.raises(EngineGivenUp, match="no such model"):
                await here.ask("x", interactive=interactive)


async def test_when_the_fleet_stops_what_waits_has_no_outcome():
    here = World(SLOW)
    async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as group:
        runs = [group.create_task(run()) for run in (here.supervisor.run, here.pool.run)]
        batch = group.create_task(_outcome(here.ask("batch")))
        interactive = group.create_task(_outcome(here.ask("now", interactive=True)))
        await eventually(lambda: len(here.groups) == 2)
        for run in runs:
            run.cancel()
        assert isinstance(await interactive, EngineStopped)
        assert isinstance(await batch, EngineStopped)
    for late in (True, False):
        with pytest.raises(EngineStopped):
            await here.ask("late", interactive=late)


async def _outcome(work) -> object:
    try:
        return await work
    except Unavailable as error:
        return error
