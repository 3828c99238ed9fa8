"""Writes a request in the fields that all servers of OpenAI's chat API know."""

from typing import Any

from toplu.engines.prompt import Sampling


def write_sampling(sampling: Sampling) -> dict[str, Any]:
    """Return how to draw tokens; `top_k` is not among OpenAI's words."""
    return {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "presence_penalty": sampling.presence_penalty,
        "frequency_penalty": sampling.frequency_penalty,
        "max_tokens": sampling.output_tokens_max,
    }


def write_logprobs(top_logprobs: int | None) -> dict[str, Any]:
    """Return which log-probabilities to return."""
    # Asked for none of the likeliest, llama.cpp does not return the chosen one either.
    return {} if top_logprobs is None else {"logprobs": True, "top_logprobs": max(top_logprobs, 1)}
