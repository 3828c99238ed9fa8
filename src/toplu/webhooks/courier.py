"""Sends what is to be delivered: one delivery at a time, held by this worker while it is tried.

Each try is signed anew, with the time of the try, under the same id. A worker that dies between the
end of a batch and the answer of the receiver leaves a row, which another one takes.
"""

import random
from datetime import datetime, timedelta

import structlog

from toplu.clock import Clock
from toplu.errors import ConfigurationError, TopluError
from toplu.metrics.measured import FAILED, SUCCEEDED, WEBHOOK_TRIES
from toplu.settings.outbound import WebhookSettings
from toplu.store.rows.deliveries import Delivery, DeliveryRows, Outcome
from toplu.store.rows.webhook_secrets import SecretRows
from toplu.webhooks.key_set import KeySet
from toplu.webhooks.pauses import pause_after
from toplu.webhooks.sender import Answer, Sender
from toplu.webhooks.signing import headers_of, sign
from toplu.webhooks.vault import Vault

log = structlog.get_logger()

AT_ONCE = timedelta(0)
IDLE = timedelta(seconds=5)
# Where one is due and its project has as many tries as it may have at a time.
BUSY = timedelta(seconds=0.5)


class Courier:
    """Takes the deliveries that are due, the one that is due longest first."""

    def __init__(
        self,
        *,
        settings: WebhookSettings,
        clock: Clock,
        rows: DeliveryRows,
        secrets: SecretRows,
        vault: Vault,
        key_set: KeySet,
        sender: Sender,
        worker: str,
    ) -> None:
        self._retry = timedelta(seconds=settings.retry_seconds)
        self._disables_after = timedelta(seconds=settings.disabled_after_seconds)
        self._clock = clock
        self._rows = rows
        self._secrets = secrets
        self._vault = vault
        self._key_set = key_set
        self._sender = sender
        self._worker = worker
        self._chance = random.Random()  # noqa: S311  # spreads tries, guards nothing

    async def step(self) -> timedelta:
        """Try one delivery."""
        delivery = await self._rows.take(self._worker, self._clock.now())
        if delivery is None:
            return await self._until_next()
        answer = await self._try(delivery)
        WEBHOOK_TRIES.labels(delivery.event, FAILED if answer.reason else SUCCEEDED).inc()
        now = self._clock.now()
        if await self._rows.settle(delivery, self._outcome_of(delivery, answer, now), now):
            log.info(
                "delivery_tried",
                delivery=delivery.id,
                event_type=delivery.event,
                attempt=delivery.attempts,
                status=answer.status,
                reason=answer.reason,
            )
        return AT_ONCE

    async def _until_next(self) -> timedelta:
        due = await self._rows.next_due()
        return IDLE if due is None else max(BUSY, min(IDLE, due - self._clock.now()))

    async def _try(self, delivery: Delivery) -> Answer:
        try:
            headers = await self._headers(delivery, self._clock.now())
        except (ConfigurationError, TopluError) as fault:
            return Answer(reason=str(fault))  # of the file with the key, say
        return await self._sender.post(delivery.uri, delivery.body, headers)

    async def _headers(self, delivery: Delivery, at: datetime) -> dict[str, str]:
        if delivery.webhook is None:
            token = await self._key_set.sign(delivery.id, delivery.uri, delivery.body, at)
            return headers_of(delivery.id, at, token)
        sealed = await self._secrets.secrets(delivery.webhook, at)
        secrets = [self._vault.open(each.secret).decode() for each in sealed]
        return headers_of(delivery.id, at, sign(secrets, delivery.id, at, delivery.body))

    def _outcome_of(self, delivery: Delivery, answer: Answer, now: datetime) -> Outcome:
        again = None
        if answer.reason is not None and delivery.batch is not None:
            next_try = now + pause_after(delivery.attempts, self._chance)
            again = next_try if next_try <= delivery.since + self._retry else None
        return Outcome(
            status=answer.status,
            reason=answer.reason,
            again=again,
            disables_after=self._disables_after,
        )
