"""Counts the failed attempts of one request, and ends them."""

from structlog.typing import FilteringBoundLogger

from toplu.engines.engine import EngineDied
from toplu.engines.http.fault import AnswerLost, ServerFault
from toplu.errors import Internal


class AttemptBudget:
    """The tries of one request; too many of a kind become its outcome."""

    def __init__(self, *, crashes_max: int, losses_max: int) -> None:
        self.crashes = 0  # of engines that died while they held the request
        self.losses = 0  # of answers that a remote server did not give whole
        self._crashes_max = crashes_max
        self._losses_max = losses_max

    def note(self, error: EngineDied | ServerFault, told: FilteringBoundLogger) -> None:
        """Return if the request is to be tried again, or raise its outcome."""
        match error:
            case EngineDied():
                self.crashes += 1
                if self.crashes >= self._crashes_max:
                    told.error("request_condemned", crashes=self.crashes)
                    raise Internal(f"The engine crashed {self.crashes} times on this request.")
                told.warning("request_suspected", crashes=self.crashes)
            case AnswerLost(outcome=outcome):
                self.losses += 1
                if self.losses >= self._losses_max:
                    told.error("request_abandoned", losses=self.losses, reason=error.message)
                    raise outcome from error
                told.warning("answer_lost", losses=self.losses, reason=error.message)
            case _:
                # A server that is busy or away has not seen the request.
                pass
