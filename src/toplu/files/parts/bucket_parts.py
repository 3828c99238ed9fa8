"""Parts of uploads as objects: each group that arrives is the next piece of the blob to be.

    files/HASH/00000000, …1, …2 ──▶ files/HASH/list

The pieces are the only record of how far an upload is. Whoever creates the next one has it: of two
that go on with an upload at once, at whichever machines, one does; who puts the same bytes again
finds them there.
"""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from toplu.errors import FailedPrecondition, Unavailable
from toplu.files.parts.part import blob_of
from toplu.files.parts.warm_parts import WarmParts
from toplu.store.blobs.bucket import Bucket
from toplu.store.blobs.bucket_blobs import OBJECT_BYTES, BucketBlobs, Layout, list_key, piece_key

PIECES_MAX = 100_000  # of an upload
TOO_MANY = f"The upload has {PIECES_MAX} chunks already. Please send it in larger ones."
TAKEN = "Another call has gone on with this upload. Please ask where it stands."


class BucketPart:
    """The pieces of one upload."""

    group_bytes = OBJECT_BYTES

    def __init__(self, id_hash: str, bucket: Bucket, blobs: BucketBlobs) -> None:
        self._blob = blob_of(id_hash)
        self._bucket = bucket
        self._blobs = blobs
        self._digest = hashlib.sha256()
        self._digested_bytes = 0  # the digest stands for this many bytes from the start
        self._sizes: list[int] = []  # of the pieces, as the holder found or made them
        self._is_gone = False
        # A write goes on when its call is cancelled, and the next holder waits for it.
        self._writing = asyncio.Lock()

    async def read(self, offset: int, length: int) -> bytes:
        spans = self._layout.spans(offset, length)
        return b"".join([await self._bucket.read(*span) for span in spans])

    def write(self, data: bytes) -> "asyncio.Future[None]":
        return asyncio.shield(self._write(data))

    async def _write(self, data: bytes) -> None:
        async with self._writing:
            if len(self._sizes) == PIECES_MAX:
                raise FailedPrecondition(TOO_MANY)
            size_before = sum(self._sizes)
            try:
                await self._bucket.create(piece_key(self._blob, len(self._sizes)), data)
            except FileExistsError:
                raise Unavailable(TAKEN) from None
            self._sizes.append(len(data))
            if self._digested_bytes == size_before:
                await asyncio.to_thread(self._digest.update, data)
                self._digested_bytes += len(data)

    async def sync(self) -> int:
        async with self._writing:
            known = self._sizes
            try:
                self._sizes = await self.look()
            except FileNotFoundError:
                self._is_gone = True
                raise
            if len(self._sizes) < len(known):  # cancelled or expired meanwhile
                self._is_gone = True
                raise FileNotFoundError(self._blob)
            return sum(self._sizes)

    @property
    def known_bytes(self) -> int | None:
        """The bytes that the holder knows to be durable; None: they have become a blob."""
        return None if self._is_gone else sum(self._sizes)

    async def look(self) -> list[int]:
        """Return the sizes of the pieces; FileNotFoundError: they have become a blob."""
        sizes: list[int] = []
        async for found in self._bucket.below(self._blob):
            if found.key == list_key(self._blob):
                raise FileNotFoundError(self._blob)
            if found.key == piece_key(self._blob, len(sizes)):
                sizes.append(found.size_bytes)
        return sizes

    async def digest(self) -> str:
        if self._is_gone:
            raise FileNotFoundError(self._blob)
        async for data in self._behind(self._digested_bytes):
            await asyncio.to_thread(self._digest.update, data)
            self._digested_bytes += len(data)
        return self._digest.hexdigest()

    async def keep(self, blob: str) -> None:
        assert blob == self._blob, "the pieces are where they are to stay"
        await self._blobs.join(blob, self._sizes)

    async def _behind(self, offset: int) -> AsyncIterator[bytes]:
        layout = self._layout
        for span in layout.spans(offset, layout.size_bytes - offset):
            async for data in self._bucket.stream(*span):
                yield data

    @property
    def _layout(self) -> Layout:
        keys = [piece_key(self._blob, number) for number in range(len(self._sizes))]
        return Layout(keys=keys, sizes=list(self._sizes))


class BucketParts:
    """The parts of all uploads; one that nothing has come of yet has no object."""

    def __init__(self, bucket: Bucket, blobs: BucketBlobs) -> None:
        self._bucket = bucket
        self._warm = WarmParts(lambda id_hash: BucketPart(id_hash, bucket, blobs))

    async def create(self, id_hash: str) -> None:
        pass  # the first piece does

    @asynccontextmanager
    async def hold(self, id_hash: str) -> AsyncIterator[BucketPart]:
        async with self._warm.hold(id_hash) as part:
            # Others may have gone on with it.
            with contextlib.suppress(FileNotFoundError):
                await part.sync()
            yield part

    async def size(self, id_hash: str) -> int | None:
        held = self._warm.held(id_hash)
        if held is not None:
            return held.known_bytes
        try:
            return sum(await self._warm.find(id_hash).look())
        except FileNotFoundError:
            return None

    async def remove(self, id_hash: str) -> None:
        self._warm.forget(id_hash)
        await self._bucket.delete_below(blob_of(id_hash))
