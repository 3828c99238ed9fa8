"""Reads how much is kept, and how much room there is."""

import asyncio
import shutil
from collections.abc import Sequence
from pathlib import Path

from prometheus_client.metrics_core import Metric

from toplu.metrics import readings
from toplu.store.data_folder import DataFolder
from toplu.store.rows.backlog import BacklogRows


class StorageFigures:
    """The figures of a data folder and its disk."""

    def __init__(self, data: DataFolder, rows: BacklogRows) -> None:
        self._data = data
        self._rows = rows

    async def read(self) -> Sequence[Metric]:
        """Return them, as they are now."""
        files = await self._rows.file_bytes()
        database, disk = await asyncio.to_thread(self._look)
        return [
            readings.STORAGE.of([(("files",), files), (("database",), database)]),
            readings.DISK.of([(("size",), disk.total), (("free",), disk.free)]),
        ]

    def _look(self) -> tuple[int, shutil._ntuple_diskusage]:
        database = self._data.database
        wal = database.with_name(f"{database.name}-wal")
        return _size(database) + _size(wal), shutil.disk_usage(self._data.root)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
