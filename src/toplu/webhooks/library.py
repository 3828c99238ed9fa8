"""Webhooks as their project sees them: made, listed, changed, tried; and what they were told."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from toplu.clock import Clock, random_id
from toplu.errors import FailedPrecondition, InvalidArgument, NotFound
from toplu.idempotency import AlreadyCreated, IdempotencyKey
from toplu.job import ProjectId, Wire
from toplu.outbound.addresses import AddressGuard
from toplu.settings.outbound import WebhookSettings
from toplu.store.rows.deliveries import (
    ID_LENGTH,
    Delivery,
    DeliveryRows,
    DeliveryState,
    NewDelivery,
)
from toplu.store.rows.events import NAMES, PING, body_of_test
from toplu.store.rows.pages import PageMark, cut_page
from toplu.store.rows.webhook_secrets import NewSecret, SealedSecret, SecretRows
from toplu.store.rows.webhooks import Webhook, WebhookRows, WebhookState
from toplu.webhooks.signing import hint_of, new_secret
from toplu.webhooks.vault import Vault

__all__ = ["Delivery", "DeliveryState", "SealedSecret", "Webhook", "WebhookState"]

MISSING = "Requested entity was not found."
NAME_LENGTH_MAX = 512
LOOK = timedelta(seconds=0.1)  # between two looks at a delivery that is being tried
OVERLAP = timedelta(hours=24)  # for which the secrets before a new one are valid
EVENTS = {wire: tuple(sorted(names.values())) for wire, names in NAMES.items()}


class Webhooks:
    """The webhooks of all projects, each found by its project alone."""

    def __init__(
        self,
        *,
        settings: WebhookSettings,
        clock: Clock,
        rows: WebhookRows,
        secrets: SecretRows,
        deliveries: DeliveryRows,
        vault: Vault,
        told: Callable[[], None],
    ) -> None:
        self._webhooks_max = settings.per_project_max
        self._clock = clock
        self._rows = rows
        self._secrets = secrets
        self._deliveries = deliveries
        self._vault = vault
        self._guard = AddressGuard(settings)
        self._told = told  # called when there is something to deliver

    async def create(
        self,
        project: ProjectId,
        *,
        uri: str,
        events: Sequence[str],
        name: str = "",
        wire: Wire = Wire.GEMINI,
        key: IdempotencyKey | None = None,
    ) -> tuple[Webhook, str]:
        """Return a new webhook and its secret, which is not shown again.

        A call that is sent again within a moment, or with its key, has the first one's answer.
        """
        self._check(wire, {"uri": uri, "events": events, "name": name})
        now = self._clock.now()
        webhook = Webhook(
            id=random_id(ID_LENGTH),
            project=project,
            wire=wire,
            name=name,
            uri=uri,
            events=tuple(dict.fromkeys(events)),
            state=WebhookState.ENABLED,
            created=now,
            updated=now,
        )
        secret = new_secret()
        try:
            made = await self._rows.create(
                webhook, self._kept(secret), self._vault.seal, self._webhooks_max, key
            )
        except AlreadyCreated as before:
            made = await self.get(project, before.resource)
        if made is not webhook:
            newest = (await self._secrets.secrets(made.id, now))[0]
            return made, self._vault.open(newest.secret).decode()
        return made, secret

    async def get(
        self, project: ProjectId, webhook_id: str, *, wire: Wire | None = None
    ) -> Webhook:
        """Return the webhook; one of another project, or API, is as missing as none."""
        found = await self._rows.find(project, webhook_id)
        if found is None or (wire is not None and found.wire is not wire):
            raise NotFound(MISSING)
        return found

    async def page(
        self, project: ProjectId, *, size: int, token: str | None, wire: Wire | None = None
    ) -> tuple[list[Webhook], str | None]:
        """Return up to `size` webhooks, newest first, and the token of the next page if any."""
        after = None if token is None else PageMark.of_token(token)
        found = await self._rows.page(project, size + 1, after, wire=wire)
        return cut_page(found, size)

    async def secrets_of(self, webhook: Webhook) -> list[SealedSecret]:
        """Return the secrets that are valid, the newest first, for their ends and dates."""
        return await self._secrets.secrets(webhook.id, self._clock.now())

    async def update(self, webhook: Webhook, changes: dict[str, Any]) -> Webhook:
        """Change `name`, `uri`, `events` or `state`, and return the webhook."""
        self._check(webhook.wire, changes)
        changed = await self._rows.amend(webhook.project, webhook.id, changes, self._clock.now())
        if changed is None:
            raise NotFound(MISSING)
        return changed

    async def delete(self, webhook: Webhook) -> None:
        """Forget the webhook, with what it was told and what waits for it."""
        if not await self._rows.delete(webhook, self._clock.now()):
            raise NotFound(MISSING)

    async def rotate(self, webhook: Webhook, *, keeps_others: bool = True) -> str:
        """Return a new secret; those before it are valid for a day, or no more."""
        secret = new_secret()
        now = self._clock.now()
        is_there = await self._secrets.rotate(
            webhook.project,
            webhook.id,
            self._kept(secret),
            self._vault.seal,
            others_until=now + OVERLAP if keeps_others else now,
        )
        if not is_there:
            raise NotFound(MISSING)
        return secret

    async def ping(self, webhook: Webhook, event: str = PING) -> Delivery:
        """Have the webhook told of nothing, once; the delivery says what came of it."""
        now = self._clock.now()
        new = NewDelivery(
            id=f"msg_{random_id(ID_LENGTH)}",
            project=webhook.project,
            webhook=webhook.id,
            event=event,
            batch=None,
            uri=webhook.uri,
            body=body_of_test(webhook.wire, event, now),
        )
        await self._deliveries.add(new, now)
        self._told()
        return await self.delivery(webhook.project, new.id)

    async def tried(self, delivery: Delivery, within: timedelta) -> Delivery:
        """Return the delivery when it waits no more, or as it stands after so long."""
        end = self._clock.now() + within
        while delivery.state is DeliveryState.WAITING and self._clock.now() < end:
            await self._clock.sleep(LOOK)
            delivery = await self.delivery(delivery.project, delivery.id)
        return delivery

    async def deliveries(
        self, project: ProjectId, *, size: int, token: str | None, webhook: Webhook | None = None
    ) -> tuple[list[Delivery], str | None]:
        """Return up to `size` deliveries, newest first; those of one webhook, or of all."""
        after = None if token is None else PageMark.of_token(token)
        webhook_id = None if webhook is None else webhook.id
        found = await self._deliveries.page(project, size + 1, after, webhook=webhook_id)
        return cut_page(found, size)

    async def delivery(self, project: ProjectId, delivery_id: str) -> Delivery:
        """Return the delivery, or raise NotFound."""
        found = await self._deliveries.find(project, delivery_id)
        if found is None:
            raise NotFound(MISSING)
        return found

    async def resend(self, delivery: Delivery) -> Delivery:
        """Have the same sent again, under the same id, whatever came of it before."""
        if delivery.webhook is not None:
            webhook = await self.get(delivery.project, delivery.webhook)
            if webhook.state is not WebhookState.ENABLED:
                raise FailedPrecondition(f"The webhook is {webhook.state}: enable it first.")
        if not await self._deliveries.send_again(delivery.project, delivery.id, self._clock.now()):
            raise NotFound(MISSING)
        self._told()
        return await self.delivery(delivery.project, delivery.id)

    def _kept(self, secret: str) -> NewSecret:
        return NewSecret(
            id=random_id(ID_LENGTH),
            secret=secret.encode(),
            hint=hint_of(secret),
            created=self._clock.now(),
        )

    def _check(self, wire: Wire, fields: dict[str, Any]) -> None:
        """Raise InvalidArgument for a value that will not do."""
        if "uri" in fields:
            self._guard.check_uri(fields["uri"], "uri")
        if len(fields.get("name", "")) > NAME_LENGTH_MAX:
            raise InvalidArgument(f"name: is longer than {NAME_LENGTH_MAX} characters.")
        if "events" in fields:
            _check_events(wire, fields["events"])


def _check_events(wire: Wire, events: Sequence[str]) -> None:
    known = ", ".join(EVENTS[wire])
    if not events:
        raise InvalidArgument(f"subscribed_events: there must be one at least, of {known}.")
    for event in events:
        if event not in EVENTS[wire]:
            raise InvalidArgument(
                f"subscribed_events: {event[:100]} never happens here; these may: {known}."
            )
