"""Log-probabilities: how likely the model found the tokens of its answer, and which others."""

from toplu.wire.gemini.message import Message


class LogprobsCandidate(Message, frozen=True, kw_only=True):
    """A token at one place of the answer."""

    token: str
    token_id: int | None = None
    log_probability: float


class TopCandidates(Message, frozen=True, kw_only=True):
    """The likeliest tokens at one place, the likeliest first."""

    candidates: list[LogprobsCandidate]


class LogprobsResult(Message, frozen=True, kw_only=True):
    """Both lists have an entry for each token of the answer, in its order."""

    log_probability_sum: float
    chosen_candidates: list[LogprobsCandidate]
    top_candidates: list[TopCandidates] | None = None
