"""Conversations that one engine has read and written, brought back to a lane when they go on.

    on the lane already ─────────────────────────────────▶ nothing to do
    on another lane ── saved from there ──┐
    in a file ────────────────────────────┴── restored ──▶ on the lane

What a lane holds is saved when something else is about to take its place, if it may go on: it has
functions, or more than one turn of its user. Most such questions of a batch do not go on. So each
one that does pays for some that are saved for nothing, and where none does few are saved.
"""

from collections.abc import Sequence
from hashlib import sha256

import msgspec

from toplu.engines.chat.messages import write_messages
from toplu.engines.functions.text_format import write_turns
from toplu.engines.llama_cpp.lane_order import LaneOrder
from toplu.engines.llama_cpp.saved_states import SavedStates
from toplu.engines.prompt import Prompt

NAME_LENGTH = 32
# So many are saved on trust, and so many more for each one that goes on.
TRUST_AT_FIRST = 256
TRUST_FOR_ONE = 16
TRUST_MAX = 4096
SAVED_WITHOUT_TRUST = 32  # one of so many, to see whether they go on now


class Conversations:
    """The conversations of one engine."""

    def __init__(self, *, states: SavedStates, order: LaneOrder, lanes: int) -> None:
        self._states = states
        self._order = order
        # What each lane holds, by the turns that it was asked last.
        self._on_lane: list[str | None] = [None] * lanes
        self._trust = TRUST_AT_FIRST
        self._not_saved = 0

    async def bring(self, prompt: Prompt, lane: int) -> None:
        """Have the lane begin with as much of the prompt as is kept; the caller is next on it."""
        names = _names_of(prompt) if self._states.are_kept and _may_go_on(prompt) else []
        held = self._on_lane[lane]
        here = names.index(held) if held in names else -1
        kept = max((at for at, name in enumerate(names) if self._is_kept(name, lane)), default=-1)
        if here < kept or here < 0:
            await self._save(lane)
        if here < kept:
            await self._restore(names[kept], lane)
        if max(here, kept) >= 0:
            self._trust = min(TRUST_MAX, self._trust + TRUST_FOR_ONE)
            # What it was before is the beginning of what it becomes.
            if (before := names[max(here, kept)]) in self._states:
                await self._states.remove(before)
        self._on_lane[lane] = names[-1] if names else None

    def _is_kept(self, name: str, lane: int) -> bool:
        return name in self._states or self._lane_of(name, lane) is not None

    def _lane_of(self, name: str, besides: int) -> int | None:
        """Return another lane that holds it, and that nobody is about to take."""
        for lane, held in enumerate(self._on_lane):
            if held == name and lane != besides and not self._order.is_taken(lane):
                return lane
        return None

    async def _restore(self, name: str, lane: int) -> None:
        if name not in self._states and (source := self._lane_of(name, lane)) is not None:
            # Nobody waits for this lane, so that nobody waits for those who wait for each other.
            async with self._order.next_on(source):
                self._on_lane[source] = None
                await self._states.save(name, source)
        if name in self._states:
            await self._states.restore(name, lane)

    async def _save(self, lane: int) -> None:
        """Keep what the lane holds, which it will hold no more."""
        held, self._on_lane[lane] = self._on_lane[lane], None
        if held is None or held in self._states or held in self._on_lane:
            return
        self._trust -= 1
        if self._trust <= 0:
            self._trust = 0
            self._not_saved += 1
            if self._not_saved % SAVED_WITHOUT_TRUST:
                return
        await self._states.save(held, lane)


def _may_go_on(prompt: Prompt) -> bool:
    """Return whether it looks like a conversation, of which an engine can keep a state."""
    turns = sum(turn.role == "user" for turn in prompt.turns)
    has_images = any(turn.images for turn in prompt.turns)
    is_asked = turns > 1 or prompt.functions is not None
    return is_asked and not has_images and prompt.kept_prefix is None


def _names_of(prompt: Prompt) -> list[str]:
    """Return a name for each beginning of the prompt, the shortest first."""
    digest = sha256()
    names = []
    messages: Sequence[dict[str, object]] = write_messages(
        write_turns(prompt.turns, prompt.functions)
    )
    for message in messages:
        digest.update(msgspec.json.encode(message))
        names.append(digest.hexdigest()[:NAME_LENGTH])
    return names
