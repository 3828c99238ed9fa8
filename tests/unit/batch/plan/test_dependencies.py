"""Lines that wait are put into waves, by whom they wait for."""

import json
from pathlib import Path

import pytest

from toplu.batch.plan.dependencies import write_waves
from toplu.batch.plan.wave_file import AMBIGUOUS, UNKNOWN, WaitingLine, read_wave
from toplu.job import WAVES_MAX

Named = tuple[str, list[str]]  # a key, and the keys that it waits for


def waves_of(
    folder: Path, lines: list[Named | bytes], carried: bytes = b"", memory_bytes: int = 10_000
) -> list[list[WaitingLine]]:
    """Return the waves, each in the order of its file."""
    written = [
        line
        if isinstance(line, bytes)
        else json.dumps({"key": line[0], "after": line[1], "request": {}}).encode()
        for line in lines
    ]
    path = folder / "input"
    path.write_bytes(b"".join(line + b"\n" for line in written))
    (folder / "work").mkdir()
    found = []
    waves = write_waves(path, folder / "work", 1000, carried=carried, memory_bytes=memory_bytes)
    for wave in waves:
        with wave.open("rb") as file:
            found.append(list(read_wave(file)))
    for entry in (entry for wave in found for entry in wave):
        data = path.read_bytes()[entry.offset : entry.offset + entry.length]
        assert data == written[entry.index]
        assert entry.number == entry.index + 1
    return found


def parents_of(waves: list[list[WaitingLine]]) -> list[dict[int, tuple[int, ...]]]:
    return [{entry.index: entry.parents for entry in wave} for wave in waves]


def test_a_line_is_of_the_wave_behind_the_last_one_that_it_waits_for(tmp_path: Path) -> None:
    lines: list[Named | bytes] = [
        ("reduce", ["map-2", "map-1", "judge"]),
        ("map-1", []),
        ("judge", ["map-1"]),
        ("map-2", []),
        ("last", ["reduce", "map-1"]),
    ]
    assert parents_of(waves_of(tmp_path, lines)) == [{2: (1,)}, {0: (3, 1, 2)}, {4: (0, 1)}]


def test_keys_that_nobody_or_several_have_are_noted(tmp_path: Path) -> None:
    lines: list[Named | bytes] = [
        ("twice", []),
        ("twice", []),
        ("one", ["twice", "nobody"]),
        ("two", ["one"]),
        b'{"key": "broken", "request": ',
        ("three", ["broken"]),
        b"not even an object",
    ]
    waves = waves_of(tmp_path, lines)
    assert parents_of(waves) == [{2: (AMBIGUOUS, UNKNOWN), 5: (4,)}, {3: (2,)}]
    assert [entry.is_unfounded for entry in waves[0]] == [True, False]


def test_lines_in_a_circle_and_behind_it_are_in_a_last_wave(tmp_path: Path) -> None:
    lines: list[Named | bytes] = [
        ("a", ["c"]),
        ("b", ["a"]),
        ("c", ["b"]),
        ("behind", ["c"]),
        ("self", ["self"]),
        ("fine", ["root"]),
        ("root", []),
    ]
    first, last = waves_of(tmp_path, lines)
    assert [entry.index for entry in first] == [5]
    assert [(entry.index, entry.is_too_deep) for entry in last] == [
        (index, True) for index in range(5)
    ]


@pytest.mark.parametrize("memory_bytes", [0, 10_000])
def test_a_chain_is_as_deep_as_it_may_be(tmp_path: Path, memory_bytes: int) -> None:
    lines: list[Named | bytes] = [("0", [])]
    lines += [(str(n), [str(n - 1)]) for n in range(1, WAVES_MAX + 4)]
    waves = waves_of(tmp_path, lines, memory_bytes=memory_bytes)
    assert [len(wave) for wave in waves] == [1] * WAVES_MAX + [3]
    assert [entry.is_too_deep for wave in waves for entry in wave] == [False] * 16 + [True] * 3


def test_one_whose_response_is_carried_waits_for_nobody(tmp_path: Path) -> None:
    lines: list[Named | bytes] = [("a", []), ("b", ["a"]), ("c", ["b"])]
    assert parents_of(waves_of(tmp_path, lines, carried=b"\0\1\0")) == [{2: (1,)}]
