from datetime import timedelta

import pytest

from support.fake_clock import NOON
from toplu.batch.schedule.due_work import DueWork, replicas_wanted, slack

HOUR = timedelta(hours=1)


def due(*pairs: tuple[float, float]) -> list[DueWork]:
    """Return work that is due in so many hours."""
    return [DueWork(target=NOON + hours * HOUR, work=work) for work, hours in pairs]


@pytest.mark.parametrize(
    ("pairs", "wanted"),
    [
        ([(0, 24)], 0),
        ([(1, 24)], 1),
        ([(3600, 1)], 1),
        ([(3601, 1)], 2),
        ([(3600, 1), (3600, 1)], 2),
        # The earlier target needs more than all the work of the later one does.
        ([(3600 * 20, 24), (3600 * 3, 1)], 3),
        # What is late ought to be done in a quarter of an hour.
        ([(1800, -5)], 2),
    ],
)
def test_as_many_replicas_as_have_all_done_by_then(
    pairs: list[tuple[float, float]], wanted: int
) -> None:
    assert replicas_wanted(due(*pairs), NOON, 1.0) == wanted
    assert replicas_wanted(due(*pairs), NOON, 0.5) in (2 * wanted, 2 * wanted - 1)


@pytest.mark.parametrize(
    ("pairs", "seconds"),
    [
        ([(3600, 2)], 3600),
        ([(3600, 2), (1800, 1)], 1800),
        ([(7200, 1)], -3600),
        ([(10, 1), (7200, 3), (7200, 3)], 10800 - 14410),
        ([(0, -1)], -3600),
    ],
)
def test_slack_is_that_of_the_target_with_the_least(
    pairs: list[tuple[float, float]], seconds: float
) -> None:
    assert slack(due(*pairs), NOON, 1.0) == seconds
