"""The book of what lanes are at: every change is told once, and told as it stands."""

from toplu.job import JobId
from toplu.store.rows.workers import AtWork
from toplu.workers.lanes_at_work import LanesAtWork

ONE, TWO = JobId("one"), JobId("two")


def row(job: JobId, lanes: int, engine: str = "echo") -> AtWork:
    return AtWork(worker="server-1", engine=engine, job=job, lanes=lanes)


def test_lanes_are_counted_by_job() -> None:
    book = LanesAtWork("server-1")
    assert book.note("echo", 0, ONE) is None
    book.note("echo", 1, ONE)
    book.note("echo", 2, TWO)
    book.note("other", 0, TWO)
    assert book.of("echo") == {ONE: 2, TWO: 1}
    assert book.of("echo", free=0) == {ONE: 1, TWO: 1}
    assert book.all() == [row(ONE, 2), row(TWO, 1), row(TWO, 1, "other")]


def test_changes_are_taken_once() -> None:
    book = LanesAtWork("server-1")
    book.note("echo", 0, ONE)
    book.note("echo", 1, ONE)
    assert book.take_changes() == [row(ONE, 2)]
    assert book.take_changes() == []
    book.note("echo", 0, ONE)
    assert book.take_changes() == [], "it goes on with what it has"
    assert book.note("echo", 0, TWO) is ONE
    assert book.note("echo", 1, None) is ONE
    assert book.take_changes() == [row(ONE, 0), row(TWO, 1)]
