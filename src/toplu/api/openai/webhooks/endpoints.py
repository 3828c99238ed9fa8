"""Webhook endpoints: register, list, get, change, delete, and a new secret for one."""

import contextlib
from collections.abc import Iterator, Sequence
from datetime import timedelta

from starlette.responses import Response
from starlette.routing import Route

from toplu.api.http.gate import Call, read_body
from toplu.api.http.idempotency import key_of
from toplu.api.http.responses import json_response
from toplu.api.openai.gate import PREFIX, OpenaiGate
from toplu.api.openai.paging import page_of
from toplu.errors import InvalidArgument, NotFound
from toplu.idempotency import Creation
from toplu.job import Wire
from toplu.webhooks.library import EVENTS, SealedSecret, Webhook, Webhooks
from toplu.wire.openai import webhook as wire
from toplu.wire.openai.message import UNSET, InvalidParameter, read

ID_PREFIX = "wh_"
BYTES_MAX = 64 * 1024  # of a body
PAGE_SIZE_MAX = 100
LISTED_MAX = 1000
TEST_SECONDS_MAX = timedelta(seconds=30)  # until somebody has tried
# What this API calls what the library finds wrong.
PARAMS = {"uri": "url", "subscribed_events": "event_types", "name": "name"}


class EndpointNotFound(InvalidParameter):
    """No endpoint of that id in the caller's project."""

    http_status = NotFound.http_status


class WebhookEndpoints:
    """Handlers of `webhook_endpoints/…`."""

    def __init__(self, *, library: Webhooks) -> None:
        self._library = library

    def routes(self, gate: OpenaiGate) -> list[Route]:
        every = f"{PREFIX}/webhook_endpoints"
        one = f"{every}/{{endpoint}}"
        types = f"{PREFIX}/webhook_event_types"
        return [
            Route(types, gate.endpoint(self.event_types), methods=["GET"]),
            Route(every, gate.endpoint(self.create), methods=["POST"]),
            Route(every, gate.endpoint(self.list), methods=["GET"]),
            Route(f"{one}/rotate_secret", gate.endpoint(self.rotate), methods=["POST"]),
            Route(f"{one}/test", gate.endpoint(self.test), methods=["POST"]),
            Route(one, gate.endpoint(self.find), methods=["GET"]),
            Route(one, gate.endpoint(self.change), methods=["POST"]),
            Route(one, gate.endpoint(self.delete), methods=["DELETE"]),
        ]

    async def event_types(self, call: Call) -> Response:
        """Answer with the events that there are."""
        return await json_response(call.request, wire.EventTypes(data=[*EVENTS[Wire.OPENAI]]))

    async def create(self, call: Call) -> Response:
        """Register an endpoint; the answer has its secret."""
        raw = await read_body(call.request, BYTES_MAX)
        body = read(wire.NewEndpoint, raw)
        with _in_words_of_openai():
            webhook, secret = await self._library.create(
                call.project,
                uri=body.url,
                events=body.event_types,
                name=body.name,
                wire=Wire.OPENAI,
                key=key_of(call, Creation.WEBHOOK, raw),
            )
        return await self._respond(call, webhook, secret)

    async def list(self, call: Call) -> Response:
        """Answer with some endpoints, newest first."""
        every, _ = await self._library.page(
            call.project, size=LISTED_MAX, token=None, wire=Wire.OPENAI
        )
        page, more = page_of(call, every, _id_of, largest=PAGE_SIZE_MAX)
        data = [endpoint_of(each, await self._library.secrets_of(each)) for each in page]
        return await json_response(
            call.request,
            wire.EndpointPage(
                data=data,
                first_id=data[0].id if data else None,
                last_id=data[-1].id if data else None,
                has_more=more,
            ),
        )

    async def find(self, call: Call) -> Response:
        """Answer with the endpoint, without its secret."""
        return await self._respond(call, await self._find(call))

    async def change(self, call: Call) -> Response:
        """Change what the body has."""
        webhook = await self._find(call)
        body = read(wire.EndpointChanges, await read_body(call.request, BYTES_MAX))
        given = {"name": body.name, "uri": body.url, "events": body.event_types}
        changes = {name: value for name, value in given.items() if value is not UNSET}
        with _in_words_of_openai():
            changed = await self._library.update(webhook, changes)
        return await self._respond(call, changed)

    async def rotate(self, call: Call) -> Response:
        """Answer with a new secret; the one before it ends at once unless it is to be kept."""
        webhook = await self._find(call)
        raw = await read_body(call.request, BYTES_MAX)
        body = read(wire.Rotation, raw or b"{}")
        secret = await self._library.rotate(
            webhook, keeps_others=body.keep_old_secret_active_for_24_hours
        )
        return await self._respond(call, await self._find(call), secret)

    async def test(self, call: Call) -> Response:
        """Have a sample of an event sent, once, and answer with what the endpoint said."""
        webhook = await self._find(call)
        body = read(wire.EndpointTest, await read_body(call.request, BYTES_MAX))
        if body.event_type not in EVENTS[Wire.OPENAI]:
            known = ", ".join(EVENTS[Wire.OPENAI])
            raise InvalidParameter("event_type", f"'event_type' is one of {known}.")
        sent = await self._library.ping(webhook, body.event_type)
        delivery = await self._library.tried(sent, TEST_SECONDS_MAX)
        if delivery.status is None:
            raise InvalidParameter(
                "url", f"The endpoint was not reached: {delivery.reason or 'nobody has tried yet'}."
            )
        return await json_response(
            call.request,
            wire.TestedEndpoint(
                event_type=body.event_type,
                status_code=delivery.status,
                webhook_endpoint_id=_id_of(webhook),
            ),
        )

    async def delete(self, call: Call) -> Response:
        """Forget the endpoint and all its deliveries."""
        webhook = await self._find(call)
        await self._library.delete(webhook)
        return await json_response(call.request, wire.DeletedEndpoint(id=_id_of(webhook)))

    async def _find(self, call: Call) -> Webhook:
        asked = call.path("endpoint")
        try:
            return await self._library.get(
                call.project, asked.removeprefix(ID_PREFIX), wire=Wire.OPENAI
            )
        except NotFound:
            raise EndpointNotFound(
                "webhook_endpoint_id", f"No webhook endpoint found with id '{asked}'."
            ) from None

    async def _respond(self, call: Call, webhook: Webhook, secret: str | None = None) -> Response:
        secrets = await self._library.secrets_of(webhook)
        return await json_response(call.request, endpoint_of(webhook, secrets, secret))


def endpoint_of(
    webhook: Webhook, secrets: Sequence[SealedSecret], new_secret: str | None = None
) -> wire.Endpoint:
    """Return the endpoint as its client sees it."""
    return wire.Endpoint(
        id=_id_of(webhook),
        name=webhook.name,
        url=webhook.uri,
        event_types=[*webhook.events],
        created_at=int(webhook.created.timestamp()),
        updated_at=int(webhook.updated.timestamp()),
        signing_secret=UNSET if new_secret is None else new_secret,
        signing_secret_hint=f"whsec_...{secrets[0].hint}" if secrets else None,
    )


def _id_of(webhook: Webhook) -> str:
    return f"{ID_PREFIX}{webhook.id}"


@contextlib.contextmanager
def _in_words_of_openai() -> Iterator[None]:
    """Name a parameter that will not do as this API spells it."""
    try:
        yield
    except InvalidArgument as fault:
        field, _, reason = fault.message.partition(": ")
        if field not in PARAMS:
            raise
        raise InvalidParameter(PARAMS[field], f"'{PARAMS[field]}': {reason}") from fault
