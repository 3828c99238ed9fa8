"""The pauses before something is started again."""

from datetime import timedelta

from toplu.backoff import FIRST, LONGEST, STEADY, Backoff


def test_the_pauses_double_up_to_a_bound() -> None:
    backoff = Backoff()
    pauses = [backoff.after(timedelta()) for _ in range(20)]
    assert pauses[:3] == [FIRST, 2 * FIRST, 4 * FIRST]
    assert pauses[-1] == LONGEST
    assert max(pauses) == LONGEST


def test_a_long_life_begins_again_with_the_first_pause() -> None:
    backoff = Backoff()
    for _ in range(5):
        backoff.after(STEADY - timedelta(seconds=1))
    assert backoff.after(STEADY) == FIRST
    assert backoff.after(timedelta()) == 2 * FIRST
