"""Sorts byte strings in bounded memory: sorted runs go to disk, and are merged as they are read.

    run:    block, block, …                 block:  count u32 │ length u32 of each │ the strings

Nothing here is done string by string but what is one instruction of the interpreter's own. To merge
is to sort what is ready of all runs: Python's sort finds the sorted pieces and merges these.
"""

import itertools
import struct
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

COUNT = struct.Struct(">I")
ITEM_OVERHEAD_BYTES = 64  # of a byte string in a list
RUNS_MAX = 64  # that are merged, and open, at a time
BLOCK_BYTES = 128 * 1024  # of a run that is being merged, so much is in memory


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
            self._write_run(_blocks(self._items))
            self._items.clear()
            self._items_bytes = 0
            if len(self._runs) == RUNS_MAX:
                runs, self._runs = self._runs, []
                self._write_run(_merged(map(_read_run, runs)))
                for run in runs:
                    run.unlink()

    def in_order(self) -> Iterator[list[bytes]]:
        """Yield everything that was added, in order, some of it at a time; once."""
        self._items.sort()
        return _merged([*map(_read_run, self._runs), _blocks(self._items)])

    def _write_run(self, blocks: Iterable[list[bytes]]) -> None:
        assert self._folder is not None, "nothing goes to disk without one"
        path = self._folder / f"run-{self._made}"
        self._made += 1
        with path.open("xb") as file:
            for block in blocks:
                _write_block(file, block)
        self._runs.append(path)


def _merged(runs: Iterable[Iterator[list[bytes]]]) -> Iterator[list[bytes]]:
    """Yield the items of all runs in order; of each run a block is in memory."""
    heads = [(block, run) for run in runs if (block := next(run, None))]
    while heads:
        # Nothing that is still to be read is less.
        last = min(block[-1] for block, _ in heads)
        ready: list[bytes] = []
        following = []
        for block, run in heads:
            count = bisect_right(block, last)
            ready += block[:count]
            rest = block[count:] if count < len(block) else next(run, None)
            if rest:
                following.append((rest, run))
        heads = following
        ready.sort()
        yield from _blocks(ready)


def _blocks(items: list[bytes]) -> Iterator[list[bytes]]:
    """Yield the items in blocks, each as large as one may be or a single item."""
    ends = list(itertools.accumulate(map(len, items)))
    first = 0
    while first < len(items):
        begin = ends[first] - len(items[first])
        after = max(first + 1, bisect_right(ends, begin + BLOCK_BYTES))
        yield items[first:after]
        first = after


def _write_block(file: BinaryIO, block: list[bytes]) -> None:
    lengths = struct.pack(f">{len(block)}I", *map(len, block))
    file.write(b"".join((COUNT.pack(len(block)), lengths, *block)))


def _read_run(path: Path) -> Iterator[list[bytes]]:
    with path.open("rb") as file:
        while header := file.read(COUNT.size):
            (count,) = COUNT.unpack(header)
            lengths = struct.unpack(f">{count}I", file.read(count * COUNT.size))
            data = file.read(sum(lengths))
            ends = list(itertools.accumulate(lengths, initial=0))
            yield [data[begin:end] for begin, end in itertools.pairwise(ends)]
