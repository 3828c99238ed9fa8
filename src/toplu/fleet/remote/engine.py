"""A remote engine, whichever of its servers answers, and the life that a supervisor gives it."""

from typing import Any, Generic, Protocol, TypeVar

from toplu.engines.calls import Functions
from toplu.engines.engine import Engine
from toplu.engines.generation import BegunNote, Generation, Listener
from toplu.engines.prompt import Prompt, Turn
from toplu.fleet.processes.engine_handle import Death
from toplu.fleet.remote.affinity import PromptHead, head_of
from toplu.fleet.remote.group import ServerGroup
from toplu.fleet.remote.server import Client

# A token that is read costs a server about so much of one that is written.
READ_COST = 0.1


class EngineClient(Client, Engine, Protocol):
    """A client of one server that answers requests."""


class RemoteEngine:
    """The servers of a model as one engine. A call raises ServerFault where it may go again."""

    def __init__(self, group: ServerGroup[EngineClient]) -> None:
        self._group = group

    @property
    def lanes(self) -> int:
        return self._group.lanes

    async def generate(
        self, prompt: Prompt, lane: int, listener: Listener | None = None
    ) -> Generation:
        async with self._group.call(head_of(prompt)) as call:
            generation = await call.client.generate(prompt, lane, listener)
            written = sum(completion.tokens for completion in generation.completions)
            read = generation.prompt_tokens - generation.cached_tokens
            # A client that is slow to listen says nothing of the server.
            if listener is None or isinstance(listener, BegunNote):
                call.work = written + READ_COST * read
        return generation

    async def count_tokens(
        self, turns: tuple[Turn, ...], functions: Functions | None = None
    ) -> int:
        async with self._group.call(PromptHead("")) as call:
            return await call.client.count_tokens(turns, functions)

    async def count_prefix(self, prompt: Prompt) -> int:
        async with self._group.call(head_of(prompt)) as call:
            return await call.client.count_prefix(prompt)

    async def keep_prefix(self, prompt: Prompt, lane: int) -> None:
        async with self._group.call(head_of(prompt)) as call:
            await call.client.keep_prefix(prompt, lane)

    async def forget_prefix(self, prefix_id: str) -> None:
        pass  # its servers keep what they computed as they like

    async def count_image_tokens(self, turns: tuple[Turn, ...]) -> int | None:
        async with self._group.call(PromptHead("")) as call:
            return await call.client.count_image_tokens(turns)

    async def close(self) -> None:
        await self._group.close()


AnyEngine = TypeVar("AnyEngine")


class RunningServers(Generic[AnyEngine]):
    """A life of a remote engine: from the first server that is fit until none is."""

    pid = None

    def __init__(self, engine: AnyEngine, group: ServerGroup[Any]) -> None:
        self.engine = engine
        self._group = group

    async def wait_for_death(self) -> Death:
        return await self._group.watch()

    def kill(self) -> None:
        """Do nothing: a server that fails is left alone by its breaker."""

    async def stop(self) -> None:
        await self._group.retire()
