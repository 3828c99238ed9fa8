"""What llama.cpp's HTTP server is asked."""

from typing import Any

from toplu.engines.calling.call_grammar import NO_CALLS
from toplu.engines.calling.tagged import write_turns
from toplu.engines.chat_messages import write_messages
from toplu.engines.engine import Prompt, Sampling, Thinking
from toplu.engines.thinking import write_thoughts_before

# Penalties look at so many last tokens. A longer window would count the words of the prompt.
PENALTY_WINDOW_TOKENS = 64
UNBOUNDED = -1


def chat_body(prompt: Prompt, lane: int, seed: int) -> dict[str, Any]:
    """Return what llama.cpp is asked; everything is said, nothing left to its defaults."""
    grammar = _grammar(prompt)
    return {
        "messages": write_messages(write_turns(prompt.turns, prompt.functions)),
        "id_slot": lane,
        "cache_prompt": True,
        "seed": seed,
        **_sampling(prompt.sampling),
        **_logprobs(prompt.top_logprobs),
        **_thinking(prompt.thinking),
        **({} if grammar is None else {"grammar": grammar}),
    }


def prefix_body(prompt: Prompt) -> dict[str, Any]:
    """Return the beginning of the prompt that is to be kept, or all of it, as no question."""
    kept = prompt.kept_prefix
    turns = prompt.turns if kept is None else prompt.turns[: kept.turns]
    messages = write_messages(write_turns(turns, prompt.functions))
    return {"messages": messages, "add_generation_prompt": False}


def _grammar(prompt: Prompt) -> str | None:
    form = prompt.functions or prompt.structure
    if form is not None:
        grammar = form.grammar
    elif any(turn.calls for turn in prompt.turns):
        grammar = NO_CALLS  # or the model would call as it did before
    else:
        return None
    if prompt.thinking is None or prompt.thinking.tokens_max == 0:
        return grammar
    # It would hold the thoughts to the form as well.
    return write_thoughts_before(grammar, prompt.thinking.end)


def _logprobs(top_logprobs: int | None) -> dict[str, Any]:
    # Asked for none of the likeliest, llama.cpp does not tell of the chosen one either.
    return {} if top_logprobs is None else {"logprobs": True, "top_logprobs": max(top_logprobs, 1)}


def _thinking(thinking: Thinking | None) -> dict[str, Any]:
    if thinking is None:
        return {}
    return {
        "reasoning_format": "deepseek",  # thoughts apart from the text
        "chat_template_kwargs": {"enable_thinking": thinking.tokens_max != 0},
        # Its own way of thinking nothing leaves half of the end in the thoughts.
        "reasoning_budget_tokens": UNBOUNDED if not thinking.tokens_max else thinking.tokens_max,
        "timings_per_token": True,  # tells where the thoughts end
    }


def _sampling(sampling: Sampling) -> dict[str, Any]:
    return {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "min_p": 0.0,
        "typical_p": 1.0,
        "repeat_penalty": 1.0,
        "repeat_last_n": PENALTY_WINDOW_TOKENS,
        "presence_penalty": sampling.presence_penalty,
        "frequency_penalty": sampling.frequency_penalty,
        "stop": sampling.stop_sequences,
        "max_tokens": sampling.output_tokens_max,
    }
