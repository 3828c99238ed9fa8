import itertools

from hypothesis import given
from hypothesis import strategies as st

from toplu.engines.onnx.packing import RUN_TOKENS, pack

LENGTHS = st.lists(st.integers(min_value=1, max_value=300), max_size=60)


@given(LENGTHS, st.integers(min_value=1, max_value=2000))
def test_every_text_is_in_one_group_of_bounded_size(lengths: list[int], padded_max: int):
    groups = pack(lengths, padded_max)
    assert sorted(index for group in groups for index in group) == list(range(len(lengths)))
    for group in groups:
        longest = max(lengths[index] for index in group)
        assert len(group) * longest <= padded_max or len(group) == 1


@given(LENGTHS)
def test_a_text_pads_those_before_it_for_no_more_than_a_run_costs(lengths: list[int]):
    for group in pack(lengths, padded_max=10**9):
        for count, (before, index) in enumerate(itertools.pairwise(group), start=1):
            assert count * (lengths[index] - lengths[before]) <= RUN_TOKENS


def test_texts_of_about_the_same_length_are_together():
    assert pack([9, 1, 10, 2], padded_max=20) == [[1, 3], [0, 2]]
