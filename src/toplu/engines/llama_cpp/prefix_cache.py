"""Prefixes that one engine has computed: kept as files, brought to the lanes that need them.

on the lane already ──────────────────────────▶ nothing to do
in a file ───────────── restore ──────────────▶ on the lane
neither ── compute on the lane ── save ───────▶ on the lane and in a file
"""

import asyncio
from typing import Protocol

from toplu.engines.llama_cpp.saved_states import Mover, SavedStates
from toplu.engines.prompt import KeptPrefix, Prompt


class Holder(Mover, Protocol):
    """An engine that can read the beginning of a prompt alone."""

    async def read_prefix(self, prompt: Prompt, lane: int) -> None:
        """Leave the kept prefix of the prompt on the lane."""
        ...


class PrefixCache:
    """The prefixes of one engine."""

    def __init__(self, engine: Holder, *, states: SavedStates, lanes: int) -> None:
        self._engine = engine
        self._states = states
        self._on_lane: list[str | None] = [None] * lanes
        self._computing: dict[str, asyncio.Event] = {}
        self._forgotten: set[str] = set()  # while they were computed

    async def bring(self, prompt: Prompt, lane: int) -> None:
        """Have the lane begin with the prompt's kept prefix; the caller is the next on it."""
        kept = prompt.kept_prefix
        if kept is not None and self._on_lane[lane] == kept.id:
            self._states.touch(kept.id)
            return
        # From here on the lane holds something else, however this ends.
        self._on_lane[lane] = None
        if kept is None or not self._states.are_kept:
            return
        while (computing := self._computing.get(kept.id)) is not None:
            await computing.wait()
        if kept.id in self._states:
            if await self._states.restore(kept.id, lane):
                self._on_lane[lane] = kept.id
        elif self._states.fits(kept.tokens):
            await self._compute(prompt, kept, lane)

    async def forget(self, prefix_id: str) -> None:
        """Remove the prefix; idempotent."""
        if prefix_id in self._computing:
            self._forgotten.add(prefix_id)
        await self._states.remove(prefix_id)

    async def _compute(self, prompt: Prompt, kept: KeptPrefix, lane: int) -> None:
        computed = self._computing[kept.id] = asyncio.Event()
        try:
            await self._states.make_room(kept.tokens)
            await self._engine.read_prefix(prompt, lane)
            self._on_lane[lane] = kept.id
            await self._states.save(kept.id, lane, kept.tokens)
            if kept.id in self._forgotten:
                await self._states.remove(kept.id)
        finally:
            del self._computing[kept.id]
            self._forgotten.discard(kept.id)
            computed.set()
