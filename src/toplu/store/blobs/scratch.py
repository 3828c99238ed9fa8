"""A folder for files that are on their way to be something, and go with the process that made them.

Blocking but for what is a context.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from toplu.clock import random_id
from toplu.store.blobs.folders import remove_tree


class Scratch:
    """The folder; what a crash left in it is of no use to anybody."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def new_path(self) -> Path:
        """Return a path that nothing is at."""
        self._root.mkdir(parents=True, exist_ok=True)
        return self._root / random_id(24)

    @asynccontextmanager
    async def workshop(self) -> AsyncIterator[Path]:
        """Give an empty folder, which goes at the end with all that is in it then."""
        folder = await asyncio.to_thread(self.new_path)
        await asyncio.to_thread(folder.mkdir)
        try:
            yield folder
        finally:
            await asyncio.to_thread(remove_tree, folder)

    def clear(self) -> None:
        """Remove all of it; idempotent."""
        remove_tree(self._root)
