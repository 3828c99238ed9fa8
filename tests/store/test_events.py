"""A delivery is written with the final state of a batch: none is lost, and none is early."""

import json
from dataclasses import asdict, fields
from datetime import timedelta
from typing import Any

import pytest
from openai.types.webhooks import BatchCancelledWebhookEvent, BatchCompletedWebhookEvent

from support.fake_clock import NOON, FakeClock
from support.store.rows import PROJECT, a_file, a_job, keep_planned, lease, progress
from toplu.errors import RequestError
from toplu.job import InputForm, JobId, JobState, ProjectId, Wire
from toplu.store.rows.batches import NewPart
from toplu.store.rows.database import Database
from toplu.store.rows.deliveries import (
    WAITING_MAX,
    Delivery,
    DeliveryRows,
    DeliveryState,
    NewDelivery,
    Outcome,
    insert_delivery,
)
from toplu.store.rows.events import NAMES
from toplu.store.rows.job_mapping import move_job
from toplu.store.rows.jobs import JobRows
from toplu.store.rows.webhook_secrets import NewSecret
from toplu.store.rows.webhooks import Webhook, WebhookRows, WebhookState


async def add_webhook(database: Database, name: str = "hook", **values: Any) -> Webhook:
    wire = values.get("wire", Wire.GEMINI)
    usual = {
        "id": name,
        "project": PROJECT,
        "wire": wire,
        "name": name,
        "uri": f"https://example.com/{name}",
        "events": tuple(NAMES[wire].values()),
        "state": WebhookState.ENABLED,
        "created": NOON,
        "updated": NOON,
    }
    webhook = Webhook(**usual | values)
    secret = NewSecret(id=f"{name}-secret", secret=b"x", hint="x", created=NOON)
    return await WebhookRows(database).create(webhook, secret, lambda it: it, 100)


async def written(database: Database, project: ProjectId = PROJECT) -> list[Delivery]:
    return (await DeliveryRows(database).page(project, 2000))[::-1]


def event_of(delivery: Delivery) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(delivery.body)
    return event


async def succeed(jobs: JobRows, clock: FakeClock, name: str = "one", **changes: Any) -> None:
    await keep_planned(jobs, a_job(name, **changes), 1)
    held = await lease(jobs, clock)
    assert held is not None
    await jobs.record([progress(held, 1)], clock.now())
    assert await jobs.succeed(JobId(name), clock.now(), a_file(f"batch-{name}"), "0" * 64)


async def test_a_batch_of_a_file_that_succeeded_names_its_results(
    database: Database, jobs: JobRows, clock: FakeClock
) -> None:
    await add_webhook(database)
    await succeed(jobs, clock)
    (delivery,) = await written(database)
    assert event_of(delivery) == {
        "type": "batch.succeeded",
        "version": "v1",
        "timestamp": "2026-11-22T12:00:00.000000Z",
        "data": {"id": "batches/one", "output_file_uri": "files/batch-one"},
    }
    assert (delivery.event, delivery.batch) == ("batch.succeeded", "one")
    assert (delivery.webhook, delivery.uri) == ("hook", "https://example.com/hook")
    assert (delivery.state, delivery.due) == (DeliveryState.WAITING, clock.now())


async def test_nothing_is_written_before_the_end(
    database: Database, jobs: JobRows, clock: FakeClock
) -> None:
    await add_webhook(database)
    await keep_planned(jobs, a_job(), 1)
    assert await lease(jobs, clock) is not None
    assert await written(database) == []


async def test_a_batch_that_failed_says_why(database: Database, jobs: JobRows) -> None:
    await add_webhook(database)
    error = RequestError(code=3, message="Line 7 is no JSON.")
    await jobs.create(a_job(), unfinished_max=10, error=error)
    (delivery,) = await written(database)
    assert event_of(delivery)["type"] == "batch.failed"
    assert event_of(delivery)["data"] == {
        "id": "batches/one",
        "error_code": 3,
        "error_message": "Line 7 is no JSON.",
    }


@pytest.mark.parametrize("state", [JobState.EXPIRED, JobState.CANCELLED])
async def test_what_stopped_says_its_name_alone(
    database: Database, jobs: JobRows, state: JobState
) -> None:
    await add_webhook(database)
    await jobs.create(a_job(), unfinished_max=10)
    error = RequestError(code=1, message="stopped")
    await jobs.move_batch(JobId("one"), state, NOON, error)
    assert await jobs.move(JobId("one"), state, NOON) is None
    (delivery,) = await written(database)
    assert event_of(delivery)["type"] == f"batch.{state.lower()}"
    assert event_of(delivery)["data"] == {"id": "batches/one"}


async def test_a_transaction_that_fails_writes_no_event(database: Database, jobs: JobRows) -> None:
    await add_webhook(database)
    await jobs.create(a_job(), unfinished_max=10)

    def fail(connection: Any) -> None:
        assert move_job(connection, JobId("one"), JobState.CANCELLED, NOON) is not None
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        await database.write(fail)
    assert await written(database) == []
    found = await jobs.find(PROJECT, JobId("one"))
    assert found is not None
    assert found.state is JobState.PENDING


async def test_a_deleted_batch_tells_nobody(database: Database, jobs: JobRows) -> None:
    await add_webhook(database)
    await jobs.create(a_job(), unfinished_max=10)
    await jobs.mark_deleted(PROJECT, JobId("one"), NOON)
    assert await written(database) == []


async def test_a_batch_of_several_jobs_is_told_of_once_by_the_last(
    database: Database, jobs: JobRows
) -> None:
    await add_webhook(database, wire=Wire.OPENAI)
    part = NewPart(
        job=a_job("two", wire=Wire.OPENAI, part_of="one", engine="other"),
        enqueued_tokens_max=None,
        cut=(),
    )
    await jobs.create(a_job(wire=Wire.OPENAI), unfinished_max=10, parts=[part])
    await jobs.move(JobId("one"), JobState.EXPIRED, NOON)
    assert await written(database) == []
    await jobs.move(JobId("two"), JobState.CANCELLED, NOON)
    (delivery,) = await written(database)
    assert (delivery.event, delivery.batch) == ("batch.expired", "one")


async def test_each_webhook_is_told_what_it_subscribed_to(
    database: Database, jobs: JobRows
) -> None:
    await add_webhook(database, "all")
    await add_webhook(database, "some", events=("batch.succeeded", "batch.cancelled"))
    await add_webhook(database, "other-events", events=("batch.succeeded",))
    await add_webhook(database, "off", state=WebhookState.DISABLED)
    await add_webhook(database, "other-api", wire=Wire.OPENAI)
    await add_webhook(database, "other-project", project=ProjectId("team-b"))
    await jobs.create(a_job(), unfinished_max=10)
    await jobs.move(JobId("one"), JobState.CANCELLED, NOON)
    deliveries = await written(database)
    assert {delivery.webhook for delivery in deliveries} == {"all", "some"}
    assert len({delivery.id for delivery in deliveries}) == 2
    assert await written(database, ProjectId("team-b")) == []


async def test_addresses_of_the_batch_stand_in_place_of_the_webhooks(
    database: Database, jobs: JobRows
) -> None:
    await add_webhook(database)
    config = b'{"uris":["https://a.example/","https://b.example/"],"userMetadata":{"run":7}}'
    job = a_job(webhook_config=config, input_form=InputForm.INLINE)
    await jobs.create(job, unfinished_max=10)
    await jobs.move(JobId("one"), JobState.CANCELLED, NOON)
    deliveries = await written(database)
    assert {delivery.uri for delivery in deliveries} == {"https://a.example/", "https://b.example/"}
    assert {delivery.webhook for delivery in deliveries} == {None}
    assert event_of(deliveries[0])["user_metadata"] == {"run": 7}


async def test_events_of_openai_are_what_its_sdk_knows(
    database: Database, jobs: JobRows, clock: FakeClock
) -> None:
    await add_webhook(database, wire=Wire.OPENAI)
    await succeed(jobs, clock, wire=Wire.OPENAI)
    await jobs.create(a_job("two", wire=Wire.OPENAI), unfinished_max=10)
    await jobs.move(JobId("two"), JobState.CANCELLED, NOON)
    completed, cancelled = sorted(await written(database), key=lambda it: it.event, reverse=True)
    event = BatchCompletedWebhookEvent.model_validate_json(completed.body, strict=True)
    assert (event.data.id, event.created_at) == ("batch_one", int(NOON.timestamp()))
    assert event.id.startswith("evt_")
    assert event.object == "event"
    other = BatchCancelledWebhookEvent.model_validate_json(cancelled.body, strict=True)
    assert other.data.id == "batch_two"


async def test_where_too_many_wait_the_next_has_failed_from_the_start(
    database: Database, jobs: JobRows
) -> None:
    await add_webhook(database)
    await jobs.create(a_job(), unfinished_max=10)
    await jobs.move(JobId("one"), JobState.CANCELLED, NOON)
    (first,) = await written(database)

    def fill(connection: Any) -> None:
        names = {field.name for field in fields(NewDelivery)}
        values = {name: value for name, value in asdict(first).items() if name in names}
        for number in range(WAITING_MAX - 1):
            insert_delivery(connection, NewDelivery(**values | {"id": f"msg_{number}"}), NOON)

    await database.write(fill)
    await jobs.create(a_job("two"), unfinished_max=10)
    await jobs.move(JobId("two"), JobState.CANCELLED, NOON + timedelta(seconds=1))
    last = (await written(database))[-1]
    assert (last.batch, last.state) == ("two", DeliveryState.FAILED)
    assert last.reason == "the project has 1000 deliveries that wait"


async def test_two_tries_at_a_time_are_all_that_a_project_has(
    database: Database, jobs: JobRows
) -> None:
    await add_webhook(database)
    await add_webhook(database, "other", project=ProjectId("team-b"))
    for number in range(4):
        await jobs.create(a_job(f"job-{number}"), unfinished_max=10)
        await jobs.move(JobId(f"job-{number}"), JobState.CANCELLED, NOON)
    await jobs.create(a_job("b", project="team-b"), unfinished_max=10)
    await jobs.move(JobId("b"), JobState.CANCELLED, NOON + timedelta(seconds=1))
    rows, now = DeliveryRows(database), NOON + timedelta(seconds=2)
    taken = [await rows.take("server-1", now) for _ in range(3)]
    assert [it.project for it in taken if it] == [PROJECT, PROJECT, "team-b"]
    assert await rows.take("server-1", now) is None


async def test_ended_deliveries_are_forgotten_after_a_while(
    database: Database, jobs: JobRows
) -> None:
    await add_webhook(database)
    for name in ("one", "two"):
        await jobs.create(a_job(name), unfinished_max=10)
        await jobs.move(JobId(name), JobState.CANCELLED, NOON)
    rows = DeliveryRows(database)
    taken = await rows.take("server-1", NOON)
    assert taken is not None
    await rows.settle(taken, Outcome(status=200), NOON)
    await rows.forget_ended(NOON)
    assert len(await written(database)) == 2
    await rows.forget_ended(NOON + timedelta(seconds=1))
    (left,) = await written(database)
    assert left.state is DeliveryState.WAITING
