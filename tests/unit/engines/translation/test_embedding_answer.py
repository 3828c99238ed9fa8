import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toplu.engines.embedder import Embedding
from toplu.engines.translation.embedding_answer import shortened, write_embedding
from toplu.engines.translation.embedding_request import EmbeddingQuery
from toplu.errors import InvalidArgument

VECTORS = st.lists(st.floats(min_value=0.1, max_value=1), min_size=2, max_size=50)


@given(VECTORS, st.data())
def test_a_shortened_vector_points_the_same_way_at_length_one(values: list[float], data):
    dimensions = data.draw(st.integers(min_value=1, max_value=len(values) - 1))
    short = shortened(values, dimensions)
    assert len(short) == dimensions
    assert math.hypot(*short) == pytest.approx(1)
    first = values[:dimensions]
    assert short == pytest.approx([value / math.hypot(*first) for value in first], abs=1e-8)


def test_a_whole_vector_is_left_as_the_model_made_it():
    assert shortened([0.6, 0.8], 2) == [0.6, 0.8]


def test_a_cut_text_is_an_error_if_it_may_not_be_cut():
    embedding = Embedding(values=[1.0], tokens=256, was_cut=True)
    strict = EmbeddingQuery(text="", dimensions=1, may_be_cut=False)
    with pytest.raises(InvalidArgument, match=r"tokens allowed \(256\), and auto_truncate"):
        write_embedding(embedding, strict, tokens_max=256)
    lenient = EmbeddingQuery(text="", dimensions=1, may_be_cut=True)
    assert write_embedding(embedding, lenient, tokens_max=256).token_count == "256"
