"""A pool above scripted engines."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from support.fleet.scripted_engine import (
    NO_GROUNDER,
    RestlessClock,
    ScriptedEngine,
    a_request,
)
from support.waiting import PATIENCE_SECONDS
from toplu.fleet.adapters.prompt import PromptAdapter
from toplu.fleet.pool import Pool
from toplu.fleet.processes.supervisor import Supervisor
from toplu.fleet.work import Answer, Stream, Tier
from toplu.settings.server import ModelSettings, Settings
from toplu.wire.gemini.content import GenerateContentResponse

MODEL = ModelSettings(name="m", engine="echo", lanes=2)


class World:
    """A pool above scripted engines."""

    def __init__(self, *, hold: bool = False, starts: bool = True, **settings) -> None:
        self.lives: list[ScriptedEngine] = []
        self.may_start = asyncio.Event()
        self.may_start.set()
        self._hold = hold
        self._starts = starts
        values = Settings(**settings)
        self.supervisor = Supervisor(
            name="m",
            launch=self._launch,
            clock=RestlessClock(),
            start_attempts_max=values.engine_start_attempts_max,
        )
        self.pool = Pool(
            model=MODEL,
            supervisor=self.supervisor,
            settings=values,
            adapter=PromptAdapter(MODEL, NO_GROUNDER),
        )

    async def _launch(self) -> ScriptedEngine:
        await self.may_start.wait()
        if not self._starts:
            raise OSError("no such model")
        self.lives.append(ScriptedEngine(hold=self._hold and not self.lives))
        return self.lives[-1]

    @property
    def together(self) -> list[frozenset[str]]:
        return [calls for life in self.lives for calls in life.together]

    async def stream(self, text: str, tier: Tier = Tier.STANDARD) -> list[GenerateContentResponse]:
        """Return the chunks, or raise with those that had come in `self.chunks`."""
        self.chunks: list[GenerateContentResponse] = []

        async def listen(chunk: GenerateContentResponse) -> None:
            self.chunks.append(chunk)

        await self.pool.run(Stream(request=a_request(text), tier=tier, listener=listen))
        return self.chunks

    async def ask(self, text: str, *, interactive: bool = False, tier: Tier | None = None) -> str:
        tier = tier or (Tier.STANDARD if interactive else Tier.BATCH)
        work = Answer(request=a_request(text), tier=tier, label=text)
        answered = await self.pool.run(work)
        parts = answered.response.candidates[0].content.parts
        assert parts is not None
        return parts[0].text or ""


@asynccontextmanager
async def world(**options) -> AsyncIterator[World]:
    made = World(**options)
    async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as group:
        run = group.create_task(made.supervisor.run())
        yield made
        run.cancel()


def texts_of(chunks: list[GenerateContentResponse]) -> list[str | None]:
    return [(chunk.candidates[0].content.parts or [])[0].text for chunk in chunks]
