"""Writes the decoding steps of an answer as Gemini's log-probabilities."""

from collections.abc import Sequence

from toplu.engines.generation import DecodingStep, TokenLogprob
from toplu.wire.gemini.logprobs import LogprobsCandidate, LogprobsResult, TopCandidates


def write_logprobs(steps: Sequence[DecodingStep]) -> LogprobsResult | None:
    """Return the log-probabilities of these steps, None if there are none."""
    if not steps:
        return None
    return LogprobsResult(
        log_probability_sum=_sum(steps),
        chosen_candidates=[_candidate(step.chosen) for step in steps],
        top_candidates=[
            TopCandidates(candidates=[_candidate(token) for token in step.likeliest])
            for step in steps
        ]
        if any(step.likeliest for step in steps)
        else None,
    )


def average_logprob(steps: Sequence[DecodingStep]) -> float | None:
    """Return the mean log-probability of the chosen tokens, None if there are none."""
    return _sum(steps) / len(steps) if steps else None


def _sum(steps: Sequence[DecodingStep]) -> float:
    return sum(step.chosen.logprob for step in steps)


def _candidate(token: TokenLogprob) -> LogprobsCandidate:
    return LogprobsCandidate(
        token=token.token, token_id=token.token_id, log_probability=token.logprob
    )
