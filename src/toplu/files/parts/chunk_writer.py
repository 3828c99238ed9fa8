"""One span of bytes on its way into a part.

    chunks ──▶ gathered ──▶ one group in flight ──▶ part

Memory stays at two groups however much arrives: the next group waits for the last one's write.
"""

import asyncio
from collections.abc import AsyncIterator

from toplu.errors import InvalidArgument
from toplu.files.parts.part import Part


class OffsetMismatch(InvalidArgument):
    """The bytes begin behind what has arrived; the client may go on from `received_bytes`."""

    def __init__(self, offset: int, received_bytes: int) -> None:
        super().__init__(
            f"The upload offset is {offset}, but only {received_bytes} bytes have been received."
        )
        self.received_bytes = received_bytes


class ChunkWriter:
    """Takes chunks that begin at `offset`; those that arrived before must be the same again."""

    def __init__(
        self, part: Part, *, received_bytes: int, offset: int | None, limit_bytes: int
    ) -> None:
        self._part = part
        self._received_bytes = received_bytes
        self._position = received_bytes if offset is None else offset
        self._limit_bytes = limit_bytes
        self._in_flight: asyncio.Future[None] | None = None
        if self._position > received_bytes:
            raise OffsetMismatch(self._position, received_bytes)

    async def take(self, chunks: AsyncIterator[bytes]) -> int:
        """Write the chunks and return how many bytes of the file are durable.

        If the chunks end with an exception, what came before it stays.
        """
        gathered = bytearray()
        try:
            async for chunk in chunks:
                gathered += chunk
                if len(gathered) >= self._part.group_bytes:
                    group, gathered = bytes(gathered), bytearray()
                    await self._place(group)
        finally:
            try:
                await self._place(bytes(gathered))
            finally:
                await self._land()
        return await self._part.sync()

    async def _place(self, group: bytes) -> None:
        group = await self._without_overlap(group)
        room_bytes = self._limit_bytes - self._position
        if group[:room_bytes]:
            await self._land()
            self._in_flight = self._part.write(group[:room_bytes])
            self._position += len(group[:room_bytes])
        if len(group) > room_bytes:
            raise InvalidArgument(
                f"The upload has more bytes than the {self._limit_bytes} that it may have."
            )

    async def _without_overlap(self, group: bytes) -> bytes:
        overlap = group[: max(0, self._received_bytes - self._position)]
        if overlap:
            if await self._part.read(self._position, len(overlap)) != overlap:
                raise InvalidArgument(
                    f"The bytes from offset {self._position} differ from those received before."
                )
            self._position += len(overlap)
        return group[len(overlap) :]

    async def _land(self) -> None:
        """Wait for the group in flight."""
        if self._in_flight is not None:
            in_flight, self._in_flight = self._in_flight, None
            await in_flight
