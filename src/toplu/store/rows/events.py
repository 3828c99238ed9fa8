"""Events: that a batch has ended is written down for whoever is to be told, as it ends.

It is a delivery for each address, in the transaction of the final state: none is lost, and none is
sent of what did not happen. Functions run inside a transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, or_, select

from toplu.clock import random_id, timestamp
from toplu.job import Job, JobId, JobState, Wire, state_of_parts
from toplu.store.rows.deliveries import ID_LENGTH, NewDelivery, insert_delivery
from toplu.store.rows.job_room import is_visible
from toplu.store.rows.schema import jobs
from toplu.store.rows.webhook_tables import WebhookState, webhooks
from toplu.store.rows.webhooks import events_in
from toplu.wire.gemini import webhook as gemini
from toplu.wire.gemini.message import write
from toplu.wire.openai import webhook as openai

NAMES = {
    Wire.GEMINI: {
        JobState.SUCCEEDED: "batch.succeeded",
        JobState.FAILED: "batch.failed",
        JobState.EXPIRED: "batch.expired",
        JobState.CANCELLED: "batch.cancelled",
    },
    Wire.OPENAI: {
        JobState.SUCCEEDED: "batch.completed",
        JobState.FAILED: "batch.failed",
        JobState.EXPIRED: "batch.expired",
        JobState.CANCELLED: "batch.cancelled",
    },
}
PING = "ping"

AnyRow = Row[tuple[Any, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """An address that is to be told."""

    webhook: str | None = None  # None: the batch itself names the address
    uri: str
    events: list[str] | None = None  # None: all


def write_event(connection: Connection, job: Job, at: datetime) -> None:
    """Write a delivery for each that is to be told, if the batch of the job has ended by this."""
    targets = _targets_of(connection, job)
    if not targets:
        return
    is_part = or_(jobs.c.id == job.batch, jobs.c.part_of == job.batch)
    query = select(jobs).where(is_part, is_visible()).order_by(jobs.c.part_of.is_not(None))
    parts = connection.execute(query).all()
    state = state_of_parts({JobState(part.state) for part in parts})
    if not state.is_final:
        return
    event = NAMES[job.wire][state]
    for target in targets:
        if target.events is None or event in target.events:
            name = random_id(ID_LENGTH)
            if job.wire is Wire.OPENAI:
                body = _openai_body(name, event, job.batch, at)
            else:
                body = _gemini_body(job, event, _gemini_data(state, parts), at)
            insert_delivery(
                connection,
                NewDelivery(
                    id=f"msg_{name}",
                    project=job.project,
                    webhook=target.webhook,
                    event=event,
                    batch=job.batch,
                    uri=target.uri,
                    body=body,
                ),
                at,
            )


def body_of_test(wire: Wire, event: str, at: datetime) -> bytes:
    """Return the body of an event that is about no batch, as a test of the address."""
    if wire is Wire.OPENAI:
        return _openai_body(random_id(ID_LENGTH), event, JobId("test"), at)
    return write(gemini.Event(type=event, timestamp=timestamp(at), data=gemini.EventData()))


def _targets_of(connection: Connection, job: Job) -> list[Target]:
    """Return the addresses that the batch names, else the webhooks of its project."""
    if uris := _config_of(job).uris:
        return [Target(uri=uri) for uri in uris]
    query = select(webhooks.c.id, webhooks.c.uri, webhooks.c.events).where(
        webhooks.c.project == job.project,
        webhooks.c.wire == job.wire,
        webhooks.c.state == WebhookState.ENABLED,
    )
    return [
        Target(webhook=row.id, uri=row.uri, events=events_in(row.events))
        for row in connection.execute(query)
    ]


def _config_of(job: Job) -> gemini.WebhookConfig:
    if job.webhook_config is None:
        return gemini.WebhookConfig()
    return msgspec.json.decode(job.webhook_config, type=gemini.WebhookConfig)


def _gemini_body(job: Job, event: str, data: gemini.EventData, at: datetime) -> bytes:
    user_metadata = _config_of(job).user_metadata
    if user_metadata is None:
        return write(gemini.Event(type=event, timestamp=timestamp(at), data=data))
    return write(
        gemini.EventOfConfig(
            type=event,
            timestamp=timestamp(at),
            data=data,
            user_metadata=user_metadata,
        )
    )


def _gemini_data(state: JobState, parts: Sequence[AnyRow]) -> gemini.EventData:
    name = f"batches/{parts[0].id}"
    if state is JobState.FAILED:
        failed = next((part for part in parts if part.error_code is not None), parts[0])
        return gemini.EventData(
            id=name, error_code=failed.error_code, error_message=failed.error_message
        )
    file = parts[0].output_file  # that of a batch whose requests came inline is None
    return gemini.EventData(id=name, output_file_uri=None if file is None else f"files/{file}")


def _openai_body(name: str, event: str, batch: JobId, at: datetime) -> bytes:
    return write(
        openai.Event(
            id=f"evt_{name}",
            type=event,
            created_at=int(at.timestamp()),
            data=openai.EventData(id=f"batch_{batch}"),
        )
    )
