"""Estimates the tokens of all requests from those that were counted. Pure.

The tokens of a request go with the bytes of its text, which are known of all: a line through what
was counted is right for the rest (the regression estimator: Cochran, Sampling Techniques, 1977, 7).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

# Below that a line through the points says less than their mean.
COUNTED_FOR_LINE = 8
# Of normal errors 95 in 100 are within so many standard errors.
CERTAINTY = 1.96


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A total with the doubt in it: 95 times in 100 the truth is within the error."""

    total: float = 0.0
    error: float = 0.0
    counted: int = 0  # requests
    tokens_a_byte: float = 0.0  # of text
    tokens_a_request: float = 0.0  # beside those of its text

    def __add__(self, other: "Estimate") -> "Estimate":
        """Return the total of both, which were counted apart; its line is the longer one's."""
        longer = self if self.counted >= other.counted else other
        return Estimate(
            total=self.total + other.total,
            error=math.hypot(self.error, other.error),
            counted=self.counted + other.counted,
            tokens_a_byte=longer.tokens_a_byte,
            tokens_a_request=longer.tokens_a_request,
        )


@dataclass(frozen=True, slots=True)
class Counted:
    """A request whose tokens were counted."""

    text_bytes: int
    tokens: int


def estimate_total(sample: Sequence[Counted], *, count: int, text_bytes: int) -> Estimate:
    """Return the tokens of `count` requests with so many bytes of text, from a sample of them."""
    counted = len(sample)
    if not counted:
        return Estimate()
    mean_bytes = sum(it.text_bytes for it in sample) / counted
    mean_tokens = sum(it.tokens for it in sample) / counted
    slope = _slope(sample, mean_bytes, mean_tokens)
    offset = mean_tokens - slope * mean_bytes
    total = count * offset + slope * text_bytes
    spread = sum((it.tokens - offset - slope * it.text_bytes) ** 2 for it in sample)
    freedom = max(1, counted - (2 if slope else 1))
    share_unseen = max(0.0, 1 - counted / count)
    error = CERTAINTY * count * math.sqrt(share_unseen * spread / freedom / counted)
    return Estimate(
        total=max(0.0, total),
        error=error,
        counted=counted,
        tokens_a_byte=slope,
        tokens_a_request=offset,
    )


def _slope(sample: Sequence[Counted], mean_bytes: float, mean_tokens: float) -> float:
    spread = sum((it.text_bytes - mean_bytes) ** 2 for it in sample)
    if len(sample) < COUNTED_FOR_LINE or not spread:
        return mean_tokens / mean_bytes if mean_bytes else 0.0
    together = sum((it.text_bytes - mean_bytes) * (it.tokens - mean_tokens) for it in sample)
    return max(0.0, together / spread)
