"""Facts of what computed a job's answers: each once, and a bounded number."""

import json

from support.store.rows import PROJECT, a_job
from toplu.job import JobId
from toplu.store.rows.database import Database
from toplu.store.rows.jobs import JobRows
from toplu.store.rows.provenance import COMPUTERS_MAX, ProvenanceRows

ONE = JobId("one")


async def test_each_that_computed_something_is_noted_once(
    jobs: JobRows, both: list[Database]
) -> None:
    await jobs.create(a_job(), unfinished_max=1)
    for database in (*both, *both):
        await ProvenanceRows(database).add(ONE, b'{"build":"1"}')
    await ProvenanceRows(both[1]).add(ONE, b'{"build":"2"}')
    job = await jobs.find(PROJECT, ONE)
    assert job is not None
    assert json.loads(job.computed_by or b"") == [{"build": "1"}, {"build": "2"}]


async def test_no_more_are_noted_than_a_receipt_can_have(jobs: JobRows, database: Database) -> None:
    await jobs.create(a_job(), unfinished_max=1)
    for number in range(COMPUTERS_MAX + 1):
        await ProvenanceRows(database).add(ONE, json.dumps({"build": number}).encode())
    job = await jobs.find(PROJECT, ONE)
    assert job is not None
    assert len(json.loads(job.computed_by or b"")) == COMPUTERS_MAX
