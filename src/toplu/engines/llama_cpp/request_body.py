"""Writes the bodies of requests to llama.cpp's HTTP server."""

from collections.abc import Sequence
from typing import Any

from toplu.engines.chat.fields import write_logprobs, write_sampling
from toplu.engines.chat.messages import write_messages
from toplu.engines.functions.text_format import write_turns
from toplu.engines.prompt import Prompt, Sampling, Thinking
from toplu.engines.translation.answer_grammar import grammar_of

# Penalties look at so many last tokens. A longer window would count the words of the prompt.
PENALTY_WINDOW_TOKENS = 64
UNBOUNDED = -1


def chat_body(
    prompt: Prompt,
    lane: int,
    seed: int,
    end_tokens: Sequence[int] = (),
    *,
    cache_prompt: bool = True,
) -> dict[str, Any]:
    """Return the body with every field set, nothing left to llama.cpp's defaults.

    `end_tokens` are the numbers of the tokens with which the model ends an answer. With
    `cache_prompt` a prefix that the lane has is not read again.
    """
    grammar = grammar_of(prompt, end_tokens)
    return {
        "messages": write_messages(write_turns(prompt.turns, prompt.functions)),
        "id_slot": lane,
        "cache_prompt": cache_prompt,
        "seed": seed,
        **_sampling(prompt.sampling),
        **write_logprobs(prompt.top_logprobs),
        **_thinking(prompt.thinking),
        **({} if grammar is None else {"grammar": grammar}),
        # For the end of an answer that has a form, and of thoughts.
        "timings_per_token": prompt.structure is not None or prompt.thinking is not None,
    }


def prefix_body(prompt: Prompt) -> dict[str, Any]:
    """Return the beginning of the prompt that is to be kept, or all of it, as no question."""
    kept = prompt.kept_prefix
    turns = prompt.turns if kept is None else prompt.turns[: kept.turns]
    messages = write_messages(write_turns(turns, prompt.functions))
    return {"messages": messages, "add_generation_prompt": False}


def _thinking(thinking: Thinking | None) -> dict[str, Any]:
    if thinking is None:
        return {}
    return {
        "reasoning_format": "deepseek",  # thoughts apart from the text
        "chat_template_kwargs": {"enable_thinking": thinking.tokens_max != 0},
        # Its own way of thinking nothing leaves half of the end in the thoughts.
        "reasoning_budget_tokens": UNBOUNDED if not thinking.tokens_max else thinking.tokens_max,
    }


def _sampling(sampling: Sampling) -> dict[str, Any]:
    return {
        **write_sampling(sampling),
        "top_k": sampling.top_k,
        "min_p": 0.0,
        "typical_p": 1.0,
        "repeat_penalty": 1.0,
        "repeat_last_n": PENALTY_WINDOW_TOKENS,
        "stop": sampling.stop_sequences,
    }
