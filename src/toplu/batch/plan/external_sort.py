"""Sorts byte strings in bounded memory: sorted runs go to disk, and are merged as they are read."""

import heapq
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

LENGTH = struct.Struct(">I")
ITEM_OVERHEAD_BYTES = 64  # of a byte string in a list
RUNS_MAX = 64  # that are merged, and open, at a time


class ExternalSort:
    """Takes byte strings and gives them back in order.

    `folder` is where runs are put, each of `memory_bytes`; None: all of them go into memory.
    """

    def __init__(self, folder: Path | None = None, memory_bytes: int = 0) -> None:
        self._folder = folder
        self._memory_bytes = memory_bytes
        self._items: list[bytes] = []
        self._items_bytes = 0
        self._runs: list[Path] = []
        self._made = 0

    def add(self, item: bytes) -> None:
        self._items.append(item)
        self._items_bytes += len(item) + ITEM_OVERHEAD_BYTES
        if self._folder is not None and self._items_bytes >= self._memory_bytes:
            self._items.sort()
            self._write_run(self._items)
            self._items.clear()
            self._items_bytes = 0
            if len(self._runs) == RUNS_MAX:
                runs, self._runs = self._runs, []
                self._write_run(_merged(runs))
                for run in runs:
                    run.unlink()

    def in_order(self) -> Iterator[bytes]:
        """Yield everything that was added, in order; once."""
        self._items.sort()
        if not self._runs:
            yield from self._items
            return
        yield from heapq.merge(_merged(self._runs), self._items)

    def _write_run(self, items: Iterable[bytes]) -> None:
        assert self._folder is not None, "nothing goes to disk without one"
        path = self._folder / f"run-{self._made}"
        self._made += 1
        with path.open("xb", buffering=1024 * 1024) as file:
            for item in items:
                file.write(LENGTH.pack(len(item)) + item)
        self._runs.append(path)


def _merged(runs: list[Path]) -> Iterator[bytes]:
    return heapq.merge(*map(_read_run, runs))


def _read_run(path: Path) -> Iterator[bytes]:
    with path.open("rb", buffering=64 * 1024) as file:
        read = file.read
        while header := read(LENGTH.size):
            yield read(LENGTH.unpack(header)[0])
