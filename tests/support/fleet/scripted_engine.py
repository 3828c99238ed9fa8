"""An engine whose life and answers a test decides, and a clock that a test moves."""

import asyncio
from collections import Counter
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import structlog

from toplu.engines.calls import Functions
from toplu.engines.engine import EngineDied
from toplu.engines.generation import Completion, Generation, Listener, Piece
from toplu.engines.prompt import Prompt, Turn
from toplu.fleet.processes.engine_handle import Death
from toplu.settings.server import SearchSettings
from toplu.store.search_index import SearchIndex
from toplu.tools.grounding import Grounder
from toplu.tools.local_index import LocalIndex
from toplu.wire.gemini.content import Content, GenerateContentRequest, Part

EVENTUALLY_TURNS_MAX = 1000

# For pools whose requests ask for no search.
NO_GROUNDER = Grounder(
    provider=LocalIndex(SearchIndex(Path("/no/such/index"))), settings=SearchSettings()
)


class FakeClock:
    """Time stands until `advance`; sleepers are noted."""

    def __init__(self) -> None:
        self.moment = datetime(2030, 1, 1, tzinfo=UTC)
        self.sleeps: list[timedelta] = []
        self._sleepers: list[tuple[datetime, asyncio.Event]] = []

    def now(self) -> datetime:
        return self.moment

    async def sleep(self, span: timedelta) -> None:
        self.sleeps.append(span)
        awake = asyncio.Event()
        self._sleepers.append((self.moment + span, awake))
        await awake.wait()

    def advance(self, span: timedelta) -> None:
        self.moment += span
        for moment, awake in self._sleepers:
            if moment <= self.moment:
                awake.set()


class RestlessClock(FakeClock):
    """Sleeps take no time, so an engine that died is back at once."""

    async def sleep(self, span: timedelta) -> None:
        self.moment += span
        await asyncio.sleep(0)


class ScriptedEngine:
    """Holds every call until the test releases it, and dies when the test says so."""

    lanes = 2
    pid = 4711

    def __init__(self, *, hold: bool = False, poison: str = "poison") -> None:
        self.engine = self
        self.dead = asyncio.Event()
        self.stopped = False
        self.released = asyncio.Event()
        if not hold:
            self.released.set()
        self.poison = poison
        self.running: list[str] = []
        self.together: list[frozenset[str]] = []  # who was in flight as each call began
        self.on_lane: Counter[int] = Counter()

    async def generate(
        self, prompt: Prompt, lane: int, listener: Listener | None = None
    ) -> Generation:
        text = prompt.turns[-1].text
        self._raise_if_dead()
        self.running.append(text)
        self.on_lane[lane] += 1
        self.together.append(frozenset(self.running))
        try:
            await self._wait(text)
            if listener is not None and not self.dead.is_set():
                await listener(Piece(index=0, text="re: ", prompt_tokens=1))
                if text.startswith(f"late {self.poison}"):
                    self.kill()
        finally:
            self.running.remove(text)
        self._raise_if_dead()
        completion = Completion(text=f"re: {text}", tokens=1, hit_token_limit=False)
        return Generation(completions=(completion,), prompt_tokens=1, cached_tokens=0)

    async def count_tokens(
        self,
        turns: tuple[Turn, ...],
        functions: Functions | None = None,  # noqa: ARG002  # it counts turns
    ) -> int:
        self._raise_if_dead()
        return len(turns)

    async def close(self) -> None:
        self.dead.set()

    async def wait_for_death(self) -> Death:
        await self.dead.wait()
        return Death(exit_code=-9, last_words="ggml: out of words")

    def kill(self) -> None:
        self.dead.set()
        self.released.set()

    async def stop(self) -> None:
        self.stopped = True
        self.kill()

    async def _wait(self, text: str) -> None:
        await asyncio.sleep(0)  # so that calls that come together are in flight together
        await self.released.wait()
        if text.startswith(self.poison):
            self.kill()

    def _raise_if_dead(self) -> None:
        if self.dead.is_set():
            raise EngineDied("dead")


@contextmanager
def captured_logs() -> Iterator[list[MutableMapping[str, Any]]]:
    """Collect the log whatever its level."""
    configured = structlog.get_config()["wrapper_class"]
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(0))
    try:
        with structlog.testing.capture_logs() as entries:
            yield entries
    finally:
        structlog.configure(wrapper_class=configured)


def a_request(text: str) -> GenerateContentRequest:
    return GenerateContentRequest(contents=[Content(parts=[Part(text=text)])])


async def eventually(condition) -> None:
    """Let the event loop turn until the condition holds."""
    for _ in range(EVENTUALLY_TURNS_MAX):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came true")
