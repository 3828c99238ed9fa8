"""The embedder that counts words: no model, no cost, scriptable failures.

Each word has a place in the vector by its checksum, so texts that share words are near each
other. The patterns of the echo settings fail a group or bring the engine down.
"""

import asyncio
import math
import re
import zlib
from collections.abc import Sequence

from toplu.engines.embedder import Embedding
from toplu.engines.engine import EngineDied
from toplu.errors import Internal
from toplu.settings.server import ModelSettings
from toplu.wire.gemini.embedding import TaskType

WORD = re.compile(r"\S+")


class EchoEmbedder:
    """Answers in process, deterministically, after the delay that its settings name."""

    def __init__(self, model: ModelSettings) -> None:
        self._dimensions = model.dimensions
        self._tokens_max = model.context_tokens
        self._delay_seconds = model.echo.delay_seconds
        self._fail_pattern = model.echo.fail_pattern
        self._crash_pattern = model.echo.crash_pattern
        self.dead = asyncio.Event()
        self.groups: list[list[str]] = []  # of texts, as they came

    async def embed(
        self,
        texts: Sequence[str],
        tasks: Sequence[TaskType | None] = (),  # noqa: ARG002  # one space for all of them
    ) -> list[Embedding]:
        self._raise_if_dead()
        self.groups.append(list(texts))
        if _found(self._crash_pattern, texts):
            self.dead.set()
        await self._wait_a_while()
        if _found(self._fail_pattern, texts):
            raise Internal("The echo embedder fails on this request by its settings.")
        return [self._embedding(text) for text in texts]

    async def close(self) -> None:
        self.dead.set()

    def _embedding(self, text: str) -> Embedding:
        words = WORD.findall(text)
        read = words[: self._tokens_max]
        values = [0.0] * self._dimensions
        for word in read or [""]:
            values[zlib.crc32(word.lower().encode()) % self._dimensions] += 1.0
        length = math.hypot(*values)
        return Embedding(
            values=[value / length for value in values],
            tokens=len(read),
            was_cut=len(read) < len(words),
        )

    async def _wait_a_while(self) -> None:
        """Let the delay pass, unless the engine dies first."""
        try:
            async with asyncio.timeout(self._delay_seconds):
                await self.dead.wait()
        except TimeoutError:
            return
        self._raise_if_dead()

    def _raise_if_dead(self) -> None:
        if self.dead.is_set():
            raise EngineDied("The echo embedder is down.")


def _found(pattern: str | None, texts: Sequence[str]) -> bool:
    return pattern is not None and any(re.search(pattern, text) for text in texts)
