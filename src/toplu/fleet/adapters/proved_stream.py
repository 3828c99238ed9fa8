"""Proves a streamed response of a server that speaks the Gemini API.

What has been sent cannot be taken back, so there is one attempt. A call is proved before it is
sent; a chunk that ends a candidate is held until nothing comes behind it.
"""

from collections import defaultdict
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from toplu.engines.relay import RelayListener
from toplu.fleet.adapters.response_proof import (
    ResponseProof,
    candidates_of,
    is_call,
    malformed_call,
    parts_of,
    text_of,
    with_parts,
)
from toplu.wire.gemini.content import FinishReason
from toplu.wire.gemini.message import FreeForm


@dataclass(slots=True)
class _Sent:
    """The part of one candidate that has been sent."""

    texts: list[str] = field(default_factory=list)
    calls: int = 0
    fault: str = ""  # of the first call that may not be made


class ProvedStream:
    """A listener that passes chunks on, the last with STOP only if the whole validates."""

    def __init__(self, proof: ResponseProof, listener: RelayListener) -> None:
        self._proof = proof
        self._listener = listener
        self._sent: defaultdict[int, _Sent] = defaultdict(_Sent)
        self._held: FreeForm | None = None

    async def hear(self, chunk: FreeForm) -> None:
        """Tell the chunk that was held, and this one unless it may be the last."""
        goes_on = {_index(candidate) for candidate in candidates_of(chunk)}
        await self._release(goes_on)
        chunk = await self._proof.run(self._changed, chunk, self._heard)
        if any(candidate.get("finishReason") for candidate in candidates_of(chunk)):
            self._held = chunk
        else:
            await self._listener(chunk)

    async def end(self) -> None:
        """Tell the last chunk."""
        await self._release(frozenset())

    async def _release(self, goes_on: AbstractSet[int]) -> None:
        if self._held is None:
            return
        held, self._held = self._held, None

        def ended(candidate: FreeForm) -> FreeForm:
            # Some servers write STOP into every chunk.
            if _index(candidate) in goes_on:
                return {name: value for name, value in candidate.items() if name != "finishReason"}
            return self._ended(candidate)

        await self._listener(await self._proof.run(self._changed, held, ended))

    def _heard(self, candidate: FreeForm) -> FreeForm:
        """Return the candidate without calls that may not be made."""
        sent, kept = self._sent[_index(candidate)], []
        parts = parts_of(candidate)
        for part in parts:
            sent.texts.append(text_of(part))
            if is_call(part):
                sent.fault = sent.fault or self._proof.find_call_fault(part["functionCall"])
                if sent.fault:
                    continue
                sent.calls += 1
            kept.append(part)
        return candidate if len(kept) == len(parts) else with_parts(candidate, kept)

    def _ended(self, candidate: FreeForm) -> FreeForm:
        sent, reason = self._sent[_index(candidate)], candidate.get("finishReason")
        if not reason:
            return candidate
        if sent.fault:
            return candidate | malformed_call(sent.fault)
        if reason != FinishReason.STOP:
            return candidate
        return candidate | self._proof.find_fault("".join(sent.texts), calls=sent.calls)

    @staticmethod
    def _changed(chunk: FreeForm, change: Callable[[FreeForm], FreeForm]) -> FreeForm:
        candidates = chunk.get("candidates")
        if not isinstance(candidates, list):
            return chunk
        changed = [change(each) if isinstance(each, dict) else each for each in candidates]
        same = all(one is other for one, other in zip(changed, candidates, strict=True))
        return chunk if same else chunk | {"candidates": changed}


def _index(candidate: FreeForm) -> int:
    index = candidate.get("index")
    return index if isinstance(index, int) else 0
