import pytest
from hypothesis import given
from hypothesis import strategies as st

from toplu.tools.search import Page
from toplu.tools.supports import find_supports

EURO = Page(title="Euro 2025", uri="u:1", text="England won the Euro 2025, beating Spain.")
CLOUD = Page(title="Çok bulutlu", uri="u:2", text="Bulutlar gökyüzünden yağmur indirir.")


def test_a_sentence_is_supported_by_the_pages_that_say_its_words():
    first, second = find_supports(
        "England won the Euro 2025. I like cheese! Bulutlar yağmur indirir mi?", [EURO, CLOUD]
    )
    assert first.segment.text == "England won the Euro 2025."
    assert (first.grounding_chunk_indices, first.confidence_scores) == ([0], [1.0])
    assert second.segment.text == "Bulutlar yağmur indirir mi?"
    assert (second.grounding_chunk_indices, second.confidence_scores) == ([1], [0.75])


def test_places_are_bytes_of_the_answer():
    (support,) = find_supports("Ünlü — şey.\n  England beats Spain: Euro 2025!  ", [EURO])
    segment = support.segment
    assert (segment.start_index, segment.text) == (19, "England beats Spain: Euro 2025!")
    assert segment.end_index == 19 + len(segment.text)


def test_what_shares_too_little_is_not_supported():
    assert find_supports("England has castles, rivers and moors.", [EURO]) == []
    assert find_supports("Spain.", [EURO]) == []  # one word proves nothing
    assert find_supports("It was what it was and that was that.", [EURO]) == []
    assert [each.segment.text for each in find_supports('英。"England won." Spain', [EURO])] == [
        '"England won."'
    ]
    assert find_supports("", [EURO]) == find_supports("England won Euro 2025", []) == []


@pytest.mark.parametrize("text", ["." * 500_000 + "x", '.")' * 200_000, "\n " * 500_000], ids=len)
def test_an_answer_without_sentences_takes_no_longer_than_any(text: str):
    assert find_supports(text, [EURO]) == []


PIECES = st.sampled_from(
    [
        "England",
        "won",
        "Euro 2025",
        "Bulutlar",
        "yağmur",
        ". ",
        "! ",
        "\n",
        "…",
        " ",
        "🌧",
        "?",
        "3.5",
    ]
)


@given(st.lists(PIECES | st.text(max_size=8), max_size=30).map("".join))
def test_every_segment_is_the_slice_that_it_names(answer: str):
    content = answer.encode()
    end = 0
    for support in find_supports(answer, [EURO, CLOUD]):
        segment = support.segment
        assert content[segment.start_index : segment.end_index].decode() == segment.text
        assert end <= segment.start_index < segment.end_index
        end = segment.end_index
        assert len(support.grounding_chunk_indices) == len(support.confidence_scores) > 0
        assert set(support.grounding_chunk_indices) <= {0, 1}
        assert all(0.5 <= score <= 1 for score in support.confidence_scores)
