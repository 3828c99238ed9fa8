"""Prefixes that one engine has computed: kept as files, brought to the lanes that need them.

    on the lane already ──────────────────────────▶ nothing to do
    in a file ───────────── restore ──────────────▶ on the lane
    neither ── compute on the lane ── save ───────▶ on the lane and in a file

Files live as long as the engine does, because another build or another model would read them
wrongly. Nothing depends on them: a prefix that is not kept is computed by its request.
"""

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Awaitable
from pathlib import Path
from typing import Protocol

import structlog

from toplu.engines.engine import EngineDied
from toplu.engines.llama_cpp.reply import StateMoved
from toplu.engines.prompt import KeptPrefix, Prompt
from toplu.errors import Internal, TopluError

log = structlog.get_logger()


class Holder(Protocol):
    """An engine whose lanes hold what they computed last."""

    async def read_prefix(self, prompt: Prompt, lane: int) -> None:
        """Leave the kept prefix of the prompt on the lane."""
        ...

    async def move_state(self, action: str, file_name: str, lane: int) -> StateMoved:
        """Save the state of the lane, or restore it, once the lane is free."""
        ...


class PrefixCache:
    """The prefixes of one engine, of so many bytes together; those used last stay."""

    def __init__(self, engine: Holder, *, folder: Path | None, bytes_max: int, lanes: int) -> None:
        self._engine = engine
        self._folder = folder  # None: nothing is kept
        self._bytes_max = bytes_max
        self._bytes_of: OrderedDict[str, int] = OrderedDict()
        self._bytes_per_token = 0.0  # by the last save
        self._on_lane: list[str | None] = [None] * lanes
        self._computing: dict[str, asyncio.Event] = {}
        self._forgotten: set[str] = set()  # while they were computed
        self._saving_failed = False

    async def bring(self, prompt: Prompt, lane: int) -> None:
        """Have the lane begin with the prompt's kept prefix; the caller is the next on it."""
        kept = prompt.kept_prefix
        if kept is not None and self._on_lane[lane] == kept.id:
            if kept.id in self._bytes_of:
                self._bytes_of.move_to_end(kept.id)
            return
        # From here on the lane holds something else, however this ends.
        self._on_lane[lane] = None
        if kept is None or self._folder is None:
            return
        while (computing := self._computing.get(kept.id)) is not None:
            await computing.wait()
        if kept.id in self._bytes_of:
            await self._restore(kept, lane)
        elif kept.tokens * self._bytes_per_token <= self._bytes_max:
            await self._compute(prompt, kept, lane)

    async def forget(self, prefix_id: str) -> None:
        """Remove the prefix; idempotent."""
        if prefix_id in self._computing:
            self._forgotten.add(prefix_id)
        await self._remove(prefix_id)

    async def _restore(self, kept: KeptPrefix, lane: int) -> None:
        self._bytes_of.move_to_end(kept.id)
        try:
            await _to_the_end(self._engine.move_state("restore", kept.id, lane))
        except EngineDied:
            raise
        except TopluError as error:
            # One that was forgotten meanwhile is no fault of the others.
            if kept.id in self._bytes_of:
                await self._give_up(error)
            return
        self._on_lane[lane] = kept.id

    async def _compute(self, prompt: Prompt, kept: KeptPrefix, lane: int) -> None:
        computed = self._computing[kept.id] = asyncio.Event()
        try:
            await self._make_room(kept)
            await self._engine.read_prefix(prompt, lane)
            self._on_lane[lane] = kept.id
            await self._save(kept, lane)
        finally:
            del self._computing[kept.id]
            self._forgotten.discard(kept.id)
            computed.set()

    async def _save(self, kept: KeptPrefix, lane: int) -> None:
        try:
            moved = await _to_the_end(self._engine.move_state("save", kept.id, lane))
            if not moved.n_written:
                raise Internal("nothing was written")
        except EngineDied:
            raise
        except TopluError as error:
            await self._remove(kept.id)
            if not self._saving_failed:
                log.warning("prefix_not_saved", prefix=kept.id, reason=error.message)
            self._saving_failed = True
            return
        self._bytes_of[kept.id] = moved.n_written
        self._bytes_per_token = moved.n_written / max(1, kept.tokens)
        if kept.id in self._forgotten or moved.n_written > self._bytes_max:
            await self._remove(kept.id)
        await self._make_room()

    async def _make_room(self, kept: KeptPrefix | None = None) -> None:
        """Remove those used longest ago, until all of them and one to come have room."""
        coming = 0 if kept is None else kept.tokens * self._bytes_per_token
        while self._bytes_of and sum(self._bytes_of.values()) + coming > self._bytes_max:
            await self._remove(next(iter(self._bytes_of)))

    async def _remove(self, prefix_id: str) -> None:
        self._bytes_of.pop(prefix_id, None)
        if self._folder is not None:
            path = self._folder / prefix_id
            # What cannot be removed goes with the folder, when the engine ends.
            with contextlib.suppress(OSError):
                await asyncio.to_thread(path.unlink, missing_ok=True)

    async def _give_up(self, error: TopluError) -> None:
        """Keep no more: what this model saves it cannot restore."""
        log.warning("prefixes_not_kept", reason=error.message)
        for prefix_id in list(self._bytes_of):
            await self._remove(prefix_id)
        self._folder = None


async def _to_the_end(work: Awaitable[StateMoved]) -> StateMoved:
    """Return what the work returns; a caller that is cancelled waits for its end as well.

    llama.cpp wakes one of the tasks that wait for a lane when a request on it ends. Moving a
    state is no request, so a request behind a move that has no caller left could wait forever.
    """
    moving = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(moving)
    except asyncio.CancelledError:
        await asyncio.wait([moving])
        if not moving.cancelled():
            moving.exception()  # so that it is not reported as unseen
        raise
