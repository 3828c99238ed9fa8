import pytest

from toplu.job import MOVES, JobState, RequestCounts, sources_of


@pytest.mark.parametrize("state", JobState)
def test_final_states_are_those_that_lead_nowhere(state: JobState) -> None:
    assert state.is_final == (not MOVES[state])


def test_a_job_succeeds_only_after_it_ran() -> None:
    assert sources_of(JobState.SUCCEEDED) == {JobState.RUNNING}
    assert sources_of(JobState.CANCELLED) == {JobState.PENDING, JobState.RUNNING}
    assert sources_of(JobState.PENDING) == frozenset()


def test_what_has_no_outcome_is_pending() -> None:
    assert RequestCounts(total=10, succeeded=6, failed=1).pending == 3
