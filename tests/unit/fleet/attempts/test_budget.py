import pytest
import structlog

from toplu.engines.engine import EngineDied
from toplu.engines.http.fault import AnswerLost, ServerFault
from toplu.errors import Internal, ResourceExhausted, TopluError, Unavailable
from toplu.fleet.attempts.budget import AttemptBudget


def a_budget() -> AttemptBudget:
    return AttemptBudget(crashes_max=2, losses_max=2, log=structlog.get_logger().bind)


def lost(outcome: TopluError) -> AnswerLost:
    return AnswerLost("cut off", outcome=outcome, overloaded=False)


def test_the_last_crash_is_the_outcome():
    budget = a_budget()
    budget.note(EngineDied("gone"), may_repeat=True)
    with pytest.raises(Internal, match="crashed 2 times"):
        budget.note(EngineDied("gone"), may_repeat=True)


def test_the_last_lost_answer_has_the_outcome_of_its_server():
    budget = a_budget()
    budget.note(lost(ResourceExhausted("later")), may_repeat=True)
    with pytest.raises(ResourceExhausted, match="later"):
        budget.note(lost(ResourceExhausted("later")), may_repeat=True)


def test_crashes_and_losses_count_apart_and_a_server_that_is_away_counts_for_nothing():
    budget = a_budget()
    for _ in range(9):
        budget.note(ServerFault("away"), may_repeat=True)
    budget.note(EngineDied("gone"), may_repeat=True)
    budget.note(lost(Internal("x")), may_repeat=True)
    assert (budget.crashes, budget.losses) == (1, 1)


@pytest.mark.parametrize("error", [EngineDied("gone"), ServerFault("away")])
def test_what_has_been_sent_in_part_is_broken_off_at_once(error: EngineDied | ServerFault):
    with pytest.raises(Unavailable, match="in the middle of the answer"):
        a_budget().note(error, may_repeat=False)
