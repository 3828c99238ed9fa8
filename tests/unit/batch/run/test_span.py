"""A span is divided where another lane has least to read again, or not at all."""

from hypothesis import given
from hypothesis import strategies as st

from toplu.batch.plan.order import RequestLine
from toplu.batch.run.span import Span, cheapest_cut

ANSWER_BYTES = 100.0
SHARED = st.lists(st.integers(0, 2000), max_size=40)


def lines_of(shared: list[int], length: int = 2000) -> list[RequestLine]:
    return [
        RequestLine(
            index=index, number=index + 1, line=b"x" * length, shared_bytes=bytes_, group=index
        )
        for index, bytes_ in enumerate(shared)
    ]


def indexes(span: Span) -> list[int]:
    taken = []
    while duplicates := span.take():
        taken += [line.index for line in duplicates]
    return taken


@given(shared=SHARED, answer_bytes=st.floats(0, 1e6))
def test_every_request_stays_in_one_of_the_parts(shared: list[int], answer_bytes: float) -> None:
    span = Span(lines_of(shared))
    rest = span.divide(answer_bytes)
    moved = [] if rest is None else indexes(rest)
    assert indexes(span) + moved == list(range(len(shared)))


def test_groups_that_share_a_prefix_stay_together() -> None:
    # Three groups of four, and the middle is inside the second.
    shared = [0, 1900, 1900, 1900, 100, 1900, 1900, 1900, 100, 1900, 1900, 1900]
    assert cheapest_cut(lines_of(shared), ANSWER_BYTES) == 4


def test_what_shares_nothing_is_halved() -> None:
    assert cheapest_cut(lines_of([0] * 10), ANSWER_BYTES) == 5
    assert cheapest_cut(lines_of([0] * 2), ANSWER_BYTES) == 1
    assert cheapest_cut(lines_of([0]), ANSWER_BYTES) == 0
    assert cheapest_cut([], ANSWER_BYTES) is None


def test_a_group_is_not_torn_to_read_its_prefix_twice_for_little() -> None:
    shared = [1900] * 4
    assert cheapest_cut(lines_of(shared), ANSWER_BYTES) is None
    # For long answers it is worth it.
    assert cheapest_cut(lines_of(shared), 10_000.0) == 2
