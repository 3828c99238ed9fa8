import pytest

from toplu.engines.http.context_overflow import read_overlength

VLLM = "This model's maximum context length is 512 tokens. However, you requested 641 tokens "
VLLM_LATER = (
    "'max_tokens' or 'max_completion_tokens' is too large: 10. This model's maximum context "
)
SGLANG = "Requested token count exceeds the model's maximum context length of 512 tokens. You "
CASES = [
    "request (631 tokens) exceeds the available context size (512 tokens), try increasing it",
    VLLM + "(631 in the messages, 10 in the completion). Please reduce the length.",
    VLLM_LATER + "length is 512 tokens and your request has 631 input tokens (10 > 512 - 631).",
    SGLANG + "requested a total of 641 tokens: 631 tokens from the input messages and 10 tokens",
    "The input (631 tokens) is longer than the model's context length (512 tokens).",
    "`inputs` tokens + `max_new_tokens` must be <= 512. Given: 631 `inputs` tokens and 10",
]


@pytest.mark.parametrize("words", CASES)
def test_whatever_a_server_says_of_the_length_is_understood(words: str):
    overlength = read_overlength(words)
    assert overlength is not None
    assert (overlength.prompt_tokens, overlength.context_tokens) == (631, 512)
    assert overlength.room == 0
    assert overlength.message == (
        "The input token count (631) exceeds the maximum number of tokens allowed (511)."
    )


def test_other_words_are_not():
    assert read_overlength("temperature must be at most 2") is None
