"""The client of an embedder's child process: groups out, vectors in, by the pipe between them."""

import asyncio
import contextlib
import time
from array import array
from collections.abc import Callable, Sequence

import msgspec

from toplu.engines.embedder import Embedding
from toplu.engines.engine import EngineDied
from toplu.engines.liveness import Liveness
from toplu.engines.onnx.child import FRAME_LENGTH, TextGroup, VectorGroup, frame_of
from toplu.errors import DeadlineExceeded, Internal
from toplu.wire.gemini.embedding import TaskType

_decoder = msgspec.msgpack.Decoder(VectorGroup)


class OnnxEmbedder:
    """One loaded model behind a pipe; the owner of the process feeds in its output."""

    def __init__(
        self,
        *,
        write: Callable[[bytes], None],
        dimensions: int,
        request_seconds_max: float,
        silence_seconds_max: float,
    ) -> None:
        self._write = write
        self._dimensions = dimensions
        self._request_seconds_max = request_seconds_max
        self._waiting: dict[int, asyncio.Future[VectorGroup]] = {}
        self._number = 0
        self._received = bytearray()
        self._dead = False
        self._pulse = Liveness(silence_seconds_max=silence_seconds_max, now=time.monotonic)

    async def embed(
        self,
        texts: Sequence[str],
        tasks: Sequence[TaskType | None] = (),  # noqa: ARG002  # one space for all of them
    ) -> list[Embedding]:
        if self._dead:
            raise EngineDied("The embedder is down.")
        self._number += 1
        number = self._number
        answered: asyncio.Future[VectorGroup] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answered
        try:
            self._write(frame_of(TextGroup(number=number, texts=list(texts))))
            with self._pulse.asked():
                async with asyncio.timeout(self._request_seconds_max):
                    group = await answered
        except TimeoutError as error:
            reason = f"The request was not answered within {self._request_seconds_max:g} seconds."
            raise DeadlineExceeded(reason) from error
        finally:
            # A child that is still at it answers into the void.
            del self._waiting[number]
        if group.error is not None:
            raise Internal(f"The embedder failed: {group.error}")
        return self._embeddings(group)

    def feed(self, data: bytes) -> None:
        """Take what the child has written."""
        self._pulse.beat()
        self._received += data
        while len(self._received) >= FRAME_LENGTH.size:
            (length,) = FRAME_LENGTH.unpack_from(self._received)
            end = FRAME_LENGTH.size + length
            if len(self._received) < end:
                return
            group = _decoder.decode(self._received[FRAME_LENGTH.size : end])
            del self._received[:end]
            answered = self._waiting.get(group.number)
            if answered is not None and not answered.done():
                answered.set_result(group)

    async def wait_until_gone(self) -> None:
        """Return when the child was asked something and has been silent for too long."""
        await self._pulse.wait_until_gone(self._check)

    def die(self) -> None:
        """Fail every call in flight, and those to come."""
        self._dead = True
        for answered in self._waiting.values():
            if not answered.done():
                answered.set_exception(EngineDied("The embedder died."))

    async def close(self) -> None:
        self.die()

    async def _check(self) -> None:
        # One that is dead is not silent: the watcher of the process learns of it.
        with contextlib.suppress(EngineDied):
            await self.embed([])

    def _embeddings(self, group: VectorGroup) -> list[Embedding]:
        values = array("d", group.values)
        width = self._dimensions
        return [
            Embedding(
                values=values[index * width : (index + 1) * width], tokens=tokens, was_cut=was_cut
            )
            for index, (tokens, was_cut) in enumerate(
                zip(group.tokens, group.were_cut, strict=True)
            )
        ]
