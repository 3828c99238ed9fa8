"""The contract of where uploads are kept that are not finished: a part for each."""

import asyncio
from contextlib import AbstractAsyncContextManager
from typing import Protocol

FILES = "files"


class Part(Protocol):
    """The bytes of one upload that have arrived; FileNotFoundError: they are gone."""

    group_bytes: int  # that are added at a time

    async def read(self, offset: int, length: int) -> bytes: ...

    def write(self, data: bytes) -> "asyncio.Future[None]":
        """Begin to add to the end, and return when that is done; one at a time.

        It goes on when its caller is cancelled. If it fails, some of it may have been added.
        """
        ...

    async def sync(self) -> int:
        """Make what was written durable, and return how many bytes that is."""
        ...

    async def digest(self) -> str:
        """Return the sha256 of all of it in hexadecimal, reading what is not yet in it."""
        ...

    async def keep(self, blob: str) -> None:
        """Make the bytes a blob; the part is gone then."""
        ...


class Parts(Protocol):
    """All parts, by the `id_hash` of their uploads."""

    async def create(self, id_hash: str) -> None: ...

    def hold(self, id_hash: str) -> AbstractAsyncContextManager[Part]:
        """Wait until nobody else in this process holds the part, and hold it."""
        ...

    async def size(self, id_hash: str) -> int | None:
        """Return how many bytes are durable, without waiting for a holder; None if it is gone."""
        ...

    async def remove(self, id_hash: str) -> None:
        """Remove the part; idempotent. A call that holds it finds it gone."""
        ...


def blob_of(id_hash: str) -> str:
    """Return the name that the bytes of an upload get when they are complete."""
    return f"{FILES}/{id_hash}"
