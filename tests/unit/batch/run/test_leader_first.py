"""For a shared cache: the first of those that share goes ahead, and nobody waits for nothing."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from toplu.batch.plan.order import RequestLine
from toplu.batch.run.leader_first import LeaderFirstSpan


def span_of(*shared: int) -> LeaderFirstSpan:
    return LeaderFirstSpan(lines_of(shared))


def lines_of(shared: tuple[int, ...]) -> list[RequestLine]:
    return [
        RequestLine(index=index, number=index + 1, line=b"", shared_bytes=bytes_, group=index)
        for index, bytes_ in enumerate(shared)
    ]


def started(span: LeaderFirstSpan, count: int) -> list[RequestLine]:
    taken = (span.take() for _ in range(count))
    return [duplicates[0] for duplicates in taken if duplicates]


def test_a_leader_goes_ahead_and_others_fill_in() -> None:
    span = span_of(0, 2000, 2000, 0, 2000, 2000)
    first = started(span, 6)
    assert [line.index for line in first] == [0, 3]
    assert span.note_read(first[0])
    assert [line.index for line in started(span, 6)] == [1, 2]
    assert span.note_read(first[1])
    assert [line.index for line in started(span, 6)] == [4, 5]


def test_what_shares_little_waits_for_nobody() -> None:
    span = span_of(0, 100, 100, 100)
    assert len(started(span, 4)) == 4


def test_a_subtree_below_a_prefix_that_is_read_has_a_leader_of_its_own() -> None:
    span = span_of(0, 1000, 3000, 1000, 3000)
    (root,) = started(span, 5)
    span.note_read(root)
    # Both branches begin beside each other, and their second members wait for the first.
    branches = started(span, 5)
    assert [line.index for line in branches] == [1, 3]
    span.note_read(branches[1])
    assert [line.index for line in started(span, 5)] == [4]


def test_that_a_prompt_is_read_is_news_once() -> None:
    span = span_of(0, 2000)
    (leader,) = started(span, 1)
    assert span.note_read(leader)
    assert not span.note_read(leader)


@given(
    shared=st.lists(st.integers(0, 3000), min_size=1, max_size=30),
    window=st.integers(1, 8),
    ends=st.randoms(use_true_random=False),
)
def test_every_request_goes_once_whatever_ends_first(shared, window, ends) -> None:
    span = span_of(*shared)
    running: list[RequestLine] = []
    done: list[int] = []
    while len(done) < len(shared):
        while len(running) < window and (duplicates := span.take()):
            running += duplicates
        # Nobody runs only when nothing is left: the first of all is never held back.
        ended = running.pop(ends.randrange(len(running)))
        span.note_read(ended)
        done.append(ended.index)
    assert sorted(done) == list(range(len(shared)))


def test_nothing_is_read_twice_that_is_worth_waiting_for() -> None:
    # Ten passages of four questions on sixteen places: each passage is read by one request.
    shared = list(itertools.chain.from_iterable([0, 2000, 2000, 2000] for _ in range(10)))
    span = span_of(*shared)
    read: set[int] = set()
    twice = 0
    while running := started(span, 16):
        twice += sum(
            line.index // 4 in read_now
            for place, line in enumerate(running)
            for read_now in [{other.index // 4 for other in running[:place]} - read]
        )
        for line in running:
            span.note_read(line)
            read.add(line.index // 4)
    assert (twice, len(read)) == (0, 10)
