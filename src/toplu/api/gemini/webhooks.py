"""Webhooks: create, list, get, change, delete, try out, and a new secret for one."""

from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from toplu.api.gemini.update_mask import UPDATE_QUERY, masked
from toplu.api.http.gate import Call, Gate, decode, read_body
from toplu.api.http.idempotency import key_of
from toplu.api.http.paging import PAGE_QUERY, page_size, page_token
from toplu.api.http.responses import json_response
from toplu.clock import timestamp
from toplu.errors import InvalidArgument
from toplu.idempotency import Creation
from toplu.job import Wire
from toplu.webhooks.library import SealedSecret, Webhook, Webhooks, WebhookState
from toplu.wire.gemini import webhook as wire

BYTES_MAX = 64 * 1024  # of a body
PAGE_SIZE = 50
PAGE_SIZE_MAX = 1000
WRITABLE = {name: name for name in ("name", "uri", "subscribed_events", "state")}
SETTABLE = (WebhookState.ENABLED, WebhookState.DISABLED)
AT_ONCE = "revoke_previous_secrets_immediately"
AFTER_A_DAY = "revoke_previous_secrets_after_h24"


class WebhooksApi:
    """Serves `webhooks/…`."""

    def __init__(self, *, library: Webhooks) -> None:
        self._library = library

    def routes(self, gate: Gate) -> list[Route]:
        every = "/{version:version}/webhooks"
        one = f"{every}/{{webhook}}"
        change = gate.endpoint(self.change, query=UPDATE_QUERY)
        return [
            Route(every, gate.endpoint(self.create), methods=["POST"]),
            Route(every, gate.endpoint(self.list, query=PAGE_QUERY), methods=["GET"]),
            Route(f"{one}:ping", gate.endpoint(self.ping), methods=["POST"]),
            Route(f"{one}:rotateSigningSecret", gate.endpoint(self.rotate), methods=["POST"]),
            Route(one, gate.endpoint(self.find), methods=["GET"]),
            Route(one, change, methods=["PATCH"]),
            Route(one, gate.endpoint(self.delete), methods=["DELETE"]),
        ]

    async def create(self, call: Call) -> Response:
        """Make a webhook; the answer has its secret, which no other answer has."""
        raw = await read_body(call.request, BYTES_MAX)
        body = await decode(wire.WebhookBody, raw)
        webhook, secret = await self._library.create(
            call.project,
            uri=body.uri or "",
            events=body.subscribed_events or (),
            name=body.name or "",
            key=key_of(call, Creation.WEBHOOK, raw),
        )
        return await self._respond(call, webhook, secret)

    async def list(self, call: Call) -> Response:
        """Answer with a page of webhooks, newest first."""
        webhooks, next_token = await self._library.page(
            call.project,
            size=page_size(call, default=PAGE_SIZE, largest=PAGE_SIZE_MAX),
            token=page_token(call),
            wire=Wire.GEMINI,
        )
        page = wire.ListWebhooksResponse(
            webhooks=[resource_of(each, await self._library.secrets_of(each)) for each in webhooks]
            or None,
            next_page_token=next_token,
        )
        return await json_response(call.request, page)

    async def find(self, call: Call) -> Response:
        """Answer with the webhook, without its secrets."""
        return await self._respond(call, await self._find(call))

    async def change(self, call: Call) -> Response:
        """Change what the mask names, or all that the body has."""
        webhook = await self._find(call)
        body = await call.read(wire.WebhookBody, BYTES_MAX)
        changes = _changes(masked(call.request.query_params, body, WRITABLE))
        return await self._respond(call, await self._library.update(webhook, changes))

    async def delete(self, call: Call) -> Response:
        """Forget the webhook and all its deliveries."""
        await self._library.delete(await self._find(call))
        return await json_response(call.request, {})

    async def ping(self, call: Call) -> Response:
        """Have an event of no batch sent, once."""
        webhook = await self._find(call)
        await call.read(wire.PingWebhookRequest, BYTES_MAX)
        await self._library.ping(webhook)
        return await json_response(call.request, {})

    async def rotate(self, call: Call) -> Response:
        """Answer with a new secret, which no other answer has."""
        webhook = await self._find(call)
        body = await call.read(wire.RotateSigningSecretRequest, BYTES_MAX)
        behavior = (body.revocation_behavior or AFTER_A_DAY).lower()
        if behavior not in {AFTER_A_DAY, AT_ONCE}:
            raise InvalidArgument(
                f"revocation_behavior: is {AFTER_A_DAY} or {AT_ONCE}, not {behavior[:100]}."
            )
        secret = await self._library.rotate(webhook, keeps_others=behavior == AFTER_A_DAY)
        return await json_response(call.request, wire.RotateSigningSecretResponse(secret=secret))

    async def _find(self, call: Call) -> Webhook:
        return await self._library.get(call.project, call.path("webhook"), wire=Wire.GEMINI)

    async def _respond(self, call: Call, webhook: Webhook, secret: str | None = None) -> Response:
        secrets = await self._library.secrets_of(webhook)
        return await json_response(call.request, resource_of(webhook, secrets, secret))


def resource_of(
    webhook: Webhook, secrets: list[SealedSecret], new_secret: str | None = None
) -> wire.Webhook:
    """Return what clients see of the webhook."""
    return wire.Webhook(
        id=webhook.id,
        name=webhook.name or None,
        uri=webhook.uri,
        subscribed_events=[*webhook.events],
        state=webhook.state,
        create_time=timestamp(webhook.created),
        update_time=timestamp(webhook.updated),
        signing_secrets=[
            wire.SigningSecret(
                truncated_secret=f"whsec_...{secret.hint}",
                expire_time=None if secret.expires is None else timestamp(secret.expires),
            )
            for secret in secrets
        ],
        new_signing_secret=new_secret,
    )


def _changes(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the changes in the words of the library."""
    changes: dict[str, Any] = {}
    if "name" in fields:
        changes["name"] = fields["name"] or ""
    if "uri" in fields:
        changes["uri"] = fields["uri"] or ""
    if "subscribed_events" in fields:
        changes["events"] = tuple(dict.fromkeys(fields["subscribed_events"] or ()))
    if "state" in fields:
        state = str(fields["state"] or "").lower()
        if state not in SETTABLE:
            raise InvalidArgument(f"state: may be set to {' or '.join(SETTABLE)} alone.")
        changes["state"] = WebhookState(state)
    return changes
