"""States of lanes that one engine has saved to files, of so many bytes together.

Those used last stay. Files live as long as the engine does, because another build or another model
would read them wrongly. Nothing depends on them: what is not there is computed again.
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
from toplu.errors import Internal, TopluError

log = structlog.get_logger()


class Mover(Protocol):
    """An engine whose lanes hold what they computed last."""

    async def move_state(self, action: str, file_name: str, lane: int) -> StateMoved:
        """Save the state of the lane, or restore it, once the lane is free."""
        ...


class SavedStates:
    """The files of one kind of states, by name; a name is of [a-z0-9]."""

    def __init__(self, engine: Mover, *, folder: Path | None, bytes_max: int) -> None:
        self._engine = engine
        self._folder = folder if bytes_max else None  # None: nothing is kept
        self._bytes_max = bytes_max
        self._bytes_of: OrderedDict[str, int] = OrderedDict()
        self._bytes_per_token = 0.0  # by the last save
        self._saving_failed = False

    @property
    def are_kept(self) -> bool:
        """Whether anything is: there is a folder, and what was saved could be restored."""
        return self._folder is not None

    def __contains__(self, name: str) -> bool:
        return name in self._bytes_of

    def touch(self, name: str) -> None:
        """Have the state stay longer: it was of use."""
        if name in self._bytes_of:
            self._bytes_of.move_to_end(name)

    def fits(self, tokens: int) -> bool:
        """Return whether a state of so many tokens could be kept."""
        return self.are_kept and tokens * self._bytes_per_token <= self._bytes_max

    async def restore(self, name: str, lane: int) -> bool:
        """Bring the state to the lane; return whether it is there."""
        self.touch(name)
        try:
            await _to_the_end(self._engine.move_state("restore", name, lane))
        except EngineDied:
            raise
        except TopluError as error:
            # One that was removed meanwhile is no fault of the others.
            if name in self._bytes_of:
                await self._give_up(error)
            return False
        return True

    async def save(self, name: str, lane: int, tokens: int | None = None) -> None:
        """Keep the state of the lane, which is of so many tokens if that is known."""
        try:
            moved = await _to_the_end(self._engine.move_state("save", name, lane))
            if not moved.n_written:
                raise Internal("nothing was written")
        except EngineDied:
            raise
        except TopluError as error:
            await self.remove(name)
            if not self._saving_failed:
                log.warning("prefix_not_saved", prefix=name, reason=error.message)
            self._saving_failed = True
            return
        self._bytes_of[name] = moved.n_written
        if tokens is not None:
            self._bytes_per_token = moved.n_written / max(1, tokens)
        await self.make_room()

    async def make_room(self, tokens: int = 0) -> None:
        """Remove those used longest ago, until all of them and one to come have room."""
        coming = tokens * self._bytes_per_token
        while self._bytes_of and sum(self._bytes_of.values()) + coming > self._bytes_max:
            await self.remove(next(iter(self._bytes_of)))

    async def remove(self, name: str) -> None:
        """Remove the state; idempotent."""
        self._bytes_of.pop(name, None)
        if self._folder is not None:
            path = self._folder / name
            # What cannot be removed goes with the folder, when the engine ends.
            with contextlib.suppress(OSError):
                await asyncio.to_thread(path.unlink, missing_ok=True)

    async def _give_up(self, error: TopluError) -> None:
        """Keep no more: what this model saves it cannot restore."""
        log.warning("prefixes_not_kept", reason=error.message)
        for name in list(self._bytes_of):
            await self.remove(name)
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
