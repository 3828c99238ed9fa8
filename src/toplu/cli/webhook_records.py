"""Webhooks and deliveries as `toplu webhooks` shows them."""

from typing import TYPE_CHECKING, Any

from toplu.clock import timestamp

if TYPE_CHECKING:
    from datetime import datetime

    from toplu.webhooks.library import Delivery, Webhook

WEBHOOK_COLUMNS = {
    "id": "id",
    "project": "project",
    "api": "api",
    "name": "name",
    "uri": "uri",
    "events": "events",
    "state": "state",
    "failing_since": "failing since",
}
DELIVERY_COLUMNS = {
    "id": "id",
    "webhook": "webhook",
    "event": "event",
    "batch": "batch",
    "state": "state",
    "attempts": "attempts",
    "last_status": "status",
    "last_error": "error",
    "created": "created",
    "next_try": "next try",
}


def record_of(webhook: "Webhook") -> dict[str, Any]:
    """Return what is shown of a webhook."""
    return {
        "id": webhook.id,
        "project": webhook.project,
        "api": webhook.wire.lower(),
        "name": webhook.name,
        "uri": webhook.uri,
        "events": [*webhook.events],
        "state": str(webhook.state),
        "created": timestamp(webhook.created),
        "updated": timestamp(webhook.updated),
        "failing_since": moment(webhook.failing_since),
    }


def delivery_record(delivery: "Delivery") -> dict[str, Any]:
    """Return what is shown of a delivery."""
    waits = delivery.state == "waiting"
    return {
        "id": delivery.id,
        "webhook": delivery.webhook,
        "event": delivery.event,
        "batch": delivery.batch,
        "uri": delivery.uri,
        "state": str(delivery.state),
        "attempts": delivery.attempts,
        "last_status": delivery.status,
        "last_error": delivery.reason,
        "created": timestamp(delivery.created),
        "last_try": moment(delivery.tried),
        "next_try": moment(delivery.due) if waits else None,
        "ended": moment(delivery.ended),
    }


def moment(at: "datetime | None") -> str | None:
    """Return a moment as it is shown, if there is one."""
    return None if at is None else timestamp(at)
