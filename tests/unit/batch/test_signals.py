"""A signal is heard in its own process at once, and in the others as it is rung there."""

from datetime import timedelta

import pytest

from toplu.batch.signals import Signals
from toplu.job import JobId

HOUR = timedelta(hours=1)
JOB = JobId("one")


def paired() -> tuple[Signals, Signals, list[str]]:
    """Return the signals of two processes; what the first rings is heard in the second."""
    rung: list[str] = []
    there = Signals()

    def ring(words: str) -> None:
        rung.append(words)
        there.hear(words)

    return Signals(ring), there, rung


@pytest.mark.parametrize("name", ["created", "begun", "complete", "deleted"])
async def test_a_loop_wakes_in_both_processes(name: str) -> None:
    here, there, rung = paired()
    getattr(here, name).set()
    assert rung == [name]
    for signals in (here, there):
        await getattr(signals, name).wait(HOUR)


def test_listeners_are_called_in_both_processes() -> None:
    here, there, rung = paired()
    heard: list[object] = []
    for signals in (here, there):
        signals.when_planned(lambda: heard.append("planned"))
        signals.when_dropped(heard.append)
    here.planned()
    here.dropped(JOB)
    assert heard == ["planned", "planned", JOB, JOB]
    assert rung == ["planned", f"dropped {JOB}"]


async def test_what_is_heard_is_not_rung_again() -> None:
    rung: list[str] = []
    signals = Signals(rung.append)
    signals.hear("created")
    signals.hear("a word of a newer version")
    signals.hear_all()
    assert rung == []
    await signals.complete.wait(HOUR)
