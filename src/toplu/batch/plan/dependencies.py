"""Finds for the lines that wait which requests they wait for, and so in which wave each runs.

    keys of all lines ─┐
                       ├─ sorted by key ──▶ who is meant ── sorted by line ──▶ wave after wave
    keys waited for ───┘

Wave 0 waits for nothing; a line is of the wave behind the last one that it waits for. Blocking, and
in bounded memory but for a byte for each request.
"""

import hashlib
import itertools
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from toplu.batch.plan import wave_file
from toplu.batch.plan.external_sort import ExternalSort
from toplu.batch.plan.ordering import read_lines
from toplu.batch.plan.wave_file import AMBIGUOUS, UNKNOWN, WaitingLine
from toplu.job import WAVES_MAX
from toplu.wire.gemini import jsonl
from toplu.wire.gemini.after import waiting_of
from toplu.wire.gemini.line_splitter import LineSpan

# In the sorter by key an item is: digest, KEY, index; or digest, WISH, index of who waits, place.
DIGEST_BYTES = 16
KEY, WISH = b"\x00", b"\x01"
OF_KEY = struct.Struct(">I")
OF_WISH = struct.Struct(">IB")
# In the sorter by line: who waits, the place of the key in its `after`, whom it stands for.
EDGE = struct.Struct(">IBI")
UNPLACED = 255  # in place of a wave


def write_waves(
    input_path: Path, folder: Path, line_bytes_max: int, *, carried: bytes, memory_bytes: int
) -> list[Path]:
    """Write the lines that wait into a file for each wave, and return these, the first first.

    A request whose response is `carried` waits for nobody. Lines of which there is no first one to
    run are in a last file: they wait for each other in a circle, or for others through too many.
    """
    dependencies = Dependencies(folder, memory_bytes // 2)
    with input_path.open("rb") as file:
        for index, (span, line) in enumerate(read_lines(file, line_bytes_max)):
            dependencies.add_key(index, line)
            waiting = None if line is None or (carried and carried[index]) else waiting_of(line)
            if waiting is not None:
                dependencies.add_waiting(index, span, waiting.keys)
    return dependencies.write()


class Dependencies:
    """The lines of one input that wait, and the keys of all."""

    def __init__(self, folder: Path, memory_bytes: int) -> None:
        self._folder = folder
        self._memory_bytes = memory_bytes  # of each of two sorters
        self._by_key = self._new_sorter("keys")
        self._lines = (folder / "waiting").open("x+b")
        self._waves = bytearray()  # of each request

    def add_key(self, index: int, line: bytes | None) -> None:
        """Take note of the key of a request; they come in order, all of them."""
        self._waves.append(0)
        key = None if line is None else jsonl.name_of(line)
        if key is not None:
            self._by_key.add(_digest(key) + KEY + OF_KEY.pack(index))

    def add_waiting(self, index: int, span: LineSpan, keys: Iterable[str]) -> None:
        """Take the next line that waits, whose key was added."""
        self._waves[index] = UNPLACED
        place = 0
        for place, key in enumerate(keys):
            self._by_key.add(_digest(key) + WISH + OF_WISH.pack(index, place))
        line = WaitingLine(index, span.offset, span.length, span.number, (0,) * (place + 1))
        self._lines.write(wave_file.pack(line))

    def write(self) -> list[Path]:
        """Do what `write_waves` says, once, after the last line."""
        left = self._folder / "left-0"
        with left.open("xb") as file:
            for line in self._linked():
                file.write(wave_file.pack(line))
        written: list[Path] = []
        for wave in range(1, WAVES_MAX + 1):
            path, rest = self._folder / f"wave-{wave}", self._folder / f"left-{wave}"
            placed = self._place(wave, left, path, rest)
            left.unlink()
            left = rest
            if not placed:
                path.unlink()
                break
            written.append(path)
        if left.stat().st_size:
            path = self._folder / f"wave-{len(written) + 1}"
            with left.open("rb") as source, path.open("xb") as target:
                for line in wave_file.read_wave(source):
                    stuck = msgspec.structs.replace(line, is_too_deep=True)
                    target.write(wave_file.pack(stuck))
            written.append(path)
        return written

    def _new_sorter(self, name: str) -> ExternalSort:
        folder = self._folder / name
        folder.mkdir()
        return ExternalSort(folder, self._memory_bytes)

    def _place(self, wave: int, left: Path, path: Path, rest: Path) -> bool:
        """Write lines that may be in the wave, and those that are left; whether there was one."""
        placed = False
        with left.open("rb") as lines, path.open("xb") as of_wave, rest.open("xb") as others:
            for line in wave_file.read_wave(lines):
                if line.is_unfounded or all(self._waves[it] < wave for it in line.parents):
                    self._waves[line.index] = wave
                    of_wave.write(wave_file.pack(line))
                    placed = True
                else:
                    others.write(wave_file.pack(line))
        return placed

    def _linked(self) -> Iterator[WaitingLine]:
        """Yield the lines that wait with the requests that they wait for, in input order."""
        by_line = self._new_sorter("edges")
        for edge in self._edges():
            by_line.add(edge)
        edges = (EDGE.unpack(item) for items in by_line.in_order() for item in items)
        self._lines.seek(0)
        with self._lines:
            for line in wave_file.read_wave(self._lines):
                parents = [parent for _, _, parent in itertools.islice(edges, len(line.parents))]
                yield msgspec.structs.replace(line, parents=tuple(parents))

    def _edges(self) -> Iterator[bytes]:
        digest, found = b"", UNKNOWN
        for item in itertools.chain.from_iterable(self._by_key.in_order()):
            if not item.startswith(digest) or not digest:
                digest, found = item[:DIGEST_BYTES], UNKNOWN
            kind, rest = item[DIGEST_BYTES : DIGEST_BYTES + 1], item[DIGEST_BYTES + 1 :]
            if kind == KEY:
                (index,) = OF_KEY.unpack(rest)
                found = index if found == UNKNOWN else AMBIGUOUS
            else:
                waiting, place = OF_WISH.unpack(rest)
                yield EDGE.pack(waiting, place, found)


def _digest(key: str) -> bytes:
    text = key.encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=DIGEST_BYTES).digest()
