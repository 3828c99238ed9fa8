"""The external sort gives what a plain sort gives, however it is cut into runs and blocks."""

import random
import tempfile
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from toplu.batch.plan import external_sort
from toplu.batch.plan.external_sort import ExternalSort


def some_items(count: int, chance: random.Random) -> list[bytes]:
    """Return byte strings of which many are equal or begin alike, and some are empty."""
    return [bytes(chance.choices(b"ab\0\xff", k=chance.choice((0, 2, 12)))) for _ in range(count)]


@given(
    count=st.integers(0, 600),
    seed=st.integers(),
    memory_bytes=st.integers(1, 4000),
    block_bytes=st.integers(1, 100),
    runs_max=st.integers(2, 5),
)
@example(count=600, seed=1, memory_bytes=4000, block_bytes=20, runs_max=3)
def test_what_is_sorted_on_disk_is_in_order(
    count: int, seed: int, memory_bytes: int, block_bytes: int, runs_max: int
) -> None:
    items = some_items(count, random.Random(seed))
    with (
        mock.patch.object(external_sort, "BLOCK_BYTES", block_bytes),
        mock.patch.object(external_sort, "RUNS_MAX", runs_max),
        tempfile.TemporaryDirectory() as folder,
    ):
        sorter = ExternalSort(Path(folder), memory_bytes)
        for item in items:
            sorter.add(item)
        given_back = list(sorter.in_order())
    assert [item for some in given_back for item in some] == sorted(items)
    # What is given at a time is bounded, but for an item that is longer by itself.
    assert all(len(some) == 1 or sum(map(len, some)) <= block_bytes for some in given_back)


@pytest.mark.parametrize("folder", [True, False])
def test_nothing_is_in_order(tmp_path: Path, folder: bool) -> None:
    assert list(ExternalSort(tmp_path if folder else None, 10).in_order()) == []
