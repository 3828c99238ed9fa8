"""Counts the failed attempts at one piece of work, and ends them."""

from collections.abc import Callable

from structlog.typing import FilteringBoundLogger

from toplu.engines.engine import EngineDied
from toplu.engines.http.fault import AnswerLost, ServerFault
from toplu.errors import Internal, Unavailable

BROKEN_OFF = "The engine died in the middle of the answer. Please try again later."


class AttemptBudget:
    """Counts the failed attempts of one piece of work; too many of a kind become its outcome."""

    def __init__(
        self, *, crashes_max: int, losses_max: int, log: Callable[[], FilteringBoundLogger]
    ) -> None:
        self.crashes = 0  # of engines that died while they held the request
        self.losses = 0  # of answers that a remote server did not give whole
        self.log = log  # makes the request's own logger, which most requests never need
        self._crashes_max = crashes_max
        self._losses_max = losses_max

    def note(self, error: EngineDied | ServerFault, *, may_repeat: bool) -> None:
        """Return if there is to be a further attempt, or raise the outcome of the work."""
        log = self.log()
        if not may_repeat:
            log.warning("answer_broken_off", reason=error.message)
            raise Unavailable(BROKEN_OFF) from error
        match error:
            case EngineDied():
                self.crashes += 1
                if self.crashes >= self._crashes_max:
                    log.error("request_condemned", crashes=self.crashes)
                    raise Internal(f"The engine crashed {self.crashes} times on this request.")
                log.warning("request_suspected", crashes=self.crashes)
            case AnswerLost(outcome=outcome):
                self.losses += 1
                if self.losses >= self._losses_max:
                    log.error("request_abandoned", losses=self.losses, reason=error.message)
                    raise outcome from error
                log.warning("answer_lost", losses=self.losses, reason=error.message)
            case _:
                # A server that is busy or away has not seen the request.
                pass
