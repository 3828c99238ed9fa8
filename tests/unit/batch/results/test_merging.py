"""Results of several jobs come in the order of one input, whatever the groups they are read in."""

from collections.abc import AsyncIterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toplu.batch.results import merging
from toplu.batch.results.merging import merge

Line = tuple[int, int]  # its place in the input, its number among those of this place


async def in_groups(lines: Sequence[Line], size: int) -> AsyncIterator[Sequence[Line]]:
    yield []
    for start in range(0, len(lines), size):
        yield lines[start : start + size]


@given(
    owners=st.lists(st.tuples(st.integers(0, 3), st.integers(1, 3)), max_size=60),
    size=st.integers(1, 9),
)
async def test_the_order_is_the_inputs(owners: list[tuple[int, int]], size: int) -> None:
    lines = [(place, part) for place, (_, parts) in enumerate(owners) for part in range(parts)]
    jobs = [[line for line in lines if owners[line[0]][0] == owner] for owner in range(4)]
    sources = [in_groups(job, size) for job in jobs]
    merged = [line async for group in merge(sources, lambda it: it[0]) for line in group]
    assert merged == lines


async def test_groups_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merging, "GROUP_LINES", 4)
    jobs = [in_groups([(place, 0) for place in range(first, 20, 2)], 100) for first in (0, 1)]
    sizes = [len(group) async for group in merge(jobs, lambda it: it[0])]
    assert sizes == [4, 4, 4, 4, 4, 0]
