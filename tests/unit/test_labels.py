"""Sums by label: exact, bounded, and read back as they were written."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toplu.labels import LABELS_MAX, OTHERS, SUMMED_MAX, LabelSum, LabelSums, label_faults
from toplu.money import Usage

LABELS = st.dictionaries(st.sampled_from("abc"), st.sampled_from("xyz"), max_size=3)
USES = st.lists(st.tuples(LABELS, st.integers(0, 10**6)))


@given(USES, st.integers(0, 20))
def test_sums_are_the_same_however_they_were_divided(
    uses: list[tuple[dict[str, str], int]], cut: int
) -> None:
    together, parts = LabelSums(), [LabelSums(), LabelSums()]
    expected: Counter[tuple[str, str]] = Counter()
    for place, (labels, tokens) in enumerate(uses):
        usage = Usage(prompt_tokens=tokens, output_tokens=1)
        together.count(labels, usage)
        parts[place >= cut].count(labels, usage)
        expected.update(dict.fromkeys(labels.items(), tokens))
    merged = LabelSums.decode(parts[0].encode())
    merged.add(LabelSums.decode(parts[1].encode()))
    assert merged.items() == together.items()
    assert {label: each.usage.prompt_tokens for label, each in together.items()} == expected


def test_sums_of_an_earlier_version_are_read() -> None:
    ((label, found),) = LabelSums.decode(b'[["a","b",2,10,4,3]]').items()
    assert label == ("a", "b")
    used = Usage(prompt_tokens=10, cached_tokens=4, output_tokens=3)
    assert found == LabelSum(requests=2, usage=used)


def test_labels_beyond_the_bound_are_one_sum() -> None:
    sums = LabelSums()
    for number in range(SUMMED_MAX + 5):
        sums.count({"n": str(number)}, Usage(prompt_tokens=1))
    found = dict(sums.items())
    assert len(found) == SUMMED_MAX + 1
    assert found[OTHERS] == LabelSum(requests=5, usage=Usage(prompt_tokens=5))


@pytest.mark.parametrize(
    ("labels", "fault"),
    [
        ({f"k{n}": "" for n in range(LABELS_MAX)}, None),
        ({"k" * 63: "v" * 63, "Ü b": ""}, None),
        ({f"k{n}": "" for n in range(LABELS_MAX + 1)}, "at most 64 labels"),
        ({"": "v"}, "1 to 63 characters"),
        ({"k" * 64: "v"}, "1 to 63 characters"),
        ({"k": "v" * 64}, "at most 63"),
        ({"k": "a\nb"}, "printable"),
        ({"k\u2028": ""}, "printable"),
    ],
)
def test_labels_are_of_bounded_number_and_length(labels: dict[str, str], fault: str | None) -> None:
    found = next(label_faults(labels), None)
    assert found is None if fault is None else fault in (found or "")
