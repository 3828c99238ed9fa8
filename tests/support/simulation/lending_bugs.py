"""Bugs put in on purpose where a batch has answers of another one."""

from contextlib import AbstractContextManager
from typing import Any
from unittest import mock

from msgspec.structs import replace
from sqlalchemy import and_

from support.simulation.plot import Plot
from toplu.batch.run import request_runner
from toplu.store.rows import reuse
from toplu.store.rows.schema import jobs


def answers_are_lent_to_everybody() -> AbstractContextManager[Any]:
    def is_source(*_: Any) -> Any:
        return and_(jobs.c.reuse.is_(True), jobs.c.state == "SUCCEEDED", jobs.c.deleted.is_(False))

    return mock.patch.object(reuse, "_is_source", is_source)


def lent_answers_are_lent_on() -> AbstractContextManager[Any]:
    record = request_runner._record

    def with_digest(read: Any, outcome: Any) -> Any:
        made = record(read, outcome)
        return replace(made, digest=read.digest) if made.succeeded else made

    return mock.patch.object(request_runner, "_record", with_digest)


BUGS = (answers_are_lent_to_everybody, lent_answers_are_lent_on)
PLOTS = {
    "answers_are_lent_to_everybody": Plot(again=1.0, erase=0.0, projects=3, clear=True),
    "lent_answers_are_lent_on": Plot(again=0.5, erase=0.5, projects=1, clear=True),
}
