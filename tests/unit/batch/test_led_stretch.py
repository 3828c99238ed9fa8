"""For a shared cache: the first of those that share goes ahead, and nobody waits for nothing."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from toplu.batch.plan.order import RequestLine
from toplu.batch.run.leader_first import LeaderFirstSpan


def stretch_of(*shared: int) -> LeaderFirstSpan:
    return LeaderFirstSpan(lines_of(shared))


def lines_of(shared: tuple[int, ...]) -> list[RequestLine]:
    return [
        RequestLine(index=index, number=index + 1, line=b"", shared_bytes=bytes_, group=index)
        for index, bytes_ in enumerate(shared)
    ]


def started(stretch: LeaderFirstSpan, count: int) -> list[RequestLine]:
    taken = (stretch.take() for _ in range(count))
    return [duplicates[0] for duplicates in taken if duplicates]


def test_a_leader_goes_ahead_and_others_fill_in() -> None:
    stretch = stretch_of(0, 2000, 2000, 0, 2000, 2000)
    first = started(stretch, 6)
    assert [line.index for line in first] == [0, 3]
    assert stretch.note_read(first[0])
    assert [line.index for line in started(stretch, 6)] == [1, 2]
    assert stretch.note_read(first[1])
    assert [line.index for line in started(stretch, 6)] == [4, 5]


def test_what_shares_little_waits_for_nobody() -> None:
    stretch = stretch_of(0, 100, 100, 100)
    assert len(started(stretch, 4)) == 4


def test_a_subtree_below_a_prefix_that_is_read_has_a_leader_of_its_own() -> None:
    stretch = stretch_of(0, 1000, 3000, 1000, 3000)
    (root,) = started(stretch, 5)
    stretch.note_read(root)
    # Both branches begin beside each other, and their second members wait for the first.
    branches = started(stretch, 5)
    assert [line.index for line in branches] == [1, 3]
    stretch.note_read(branches[1])
    assert [line.index for line in started(stretch, 5)] == [4]


def test_that_a_prompt_is_read_is_news_once() -> None:
    stretch = stretch_of(0, 2000)
    (leader,) = started(stretch, 1)
    assert stretch.note_read(leader)
    assert not stretch.note_read(leader)


@given(
    shared=st.lists(st.integers(0, 3000), min_size=1, max_size=30),
    window=st.integers(1, 8),
    ends=st.randoms(use_true_random=False),
)
def test_every_request_goes_once_whatever_ends_first(shared, window, ends) -> None:
    stretch = stretch_of(*shared)
    running: list[RequestLine] = []
    done: list[int] = []
    while len(done) < len(shared):
        while len(running) < window and (duplicates := stretch.take()):
            running += duplicates
        # Nobody runs only when nothing is left: the first of all is never held back.
        ended = running.pop(ends.randrange(len(running)))
        stretch.note_read(ended)
        done.append(ended.index)
    assert sorted(done) == list(range(len(shared)))


def test_nothing_is_read_twice_that_is_worth_waiting_for() -> None:
    # Ten passages of four questions on sixteen places: each passage is read by one request.
    shared = list(itertools.chain.from_iterable([0, 2000, 2000, 2000] for _ in range(10)))
    stretch = stretch_of(*shared)
    read: set[int] = set()
    twice = 0
    while running := started(stretch, 16):
        twice += sum(
            line.index // 4 in read_now
            for place, line in enumerate(running)
            for read_now in [{other.index // 4 for other in running[:place]} - read]
        )
        for line in running:
            stretch.note_read(line)
            read.add(line.index // 4)
    assert (twice, len(read)) == (0, 10)
