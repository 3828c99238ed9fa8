"""Computes the tokens of prompts that need no computing at best: the theory to measure against.

In lexicographic order each prompt shares its longest prefix with the one before it, so what all
prompts have in common, counted once, is the sum of these prefixes (RadixAttention, arXiv
2312.07104, theorem 3.1).
"""

import itertools
import json
import urllib.request
from collections.abc import Sequence
from typing import Any

SECONDS_MAX = 60


def tokens_of(address: str, bodies: Sequence[dict[str, Any]]) -> list[list[int]]:
    """Return each prompt as a llama.cpp server reads it."""
    return [_tokens(address, body["messages"]) for body in bodies]


def shareable(prompts: Sequence[Sequence[int]]) -> int:
    """Return how many of the tokens stand in the prefix of another prompt that came before."""
    ordered = sorted(prompts)
    # Of a prompt that is wholly known one token is computed all the same, for its logits.
    return sum(
        min(_common(before, prompt), len(prompt) - 1)
        for before, prompt in itertools.pairwise(ordered)
    )


def _common(one: Sequence[int], other: Sequence[int]) -> int:
    count = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        count += 1
    return count


def _tokens(address: str, messages: Any) -> list[int]:
    prompt = _ask(f"{address}/apply-template", {"messages": messages})["prompt"]
    question = {"content": prompt, "add_special": True, "parse_special": True}
    tokens: list[int] = _ask(f"{address}/tokenize", question)["tokens"]
    return tokens


def _ask(url: str, body: dict[str, Any]) -> dict[str, Any]:
    request = urllib.request.Request(
        url, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=SECONDS_MAX) as reply:
        answer: dict[str, Any] = json.load(reply)
    return answer
