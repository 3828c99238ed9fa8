"""Deliveries of webhooks: listed, and sent again; an extension, see COMPATIBILITY."""

from starlette.responses import Response
from starlette.routing import Route

from toplu.api.gemini.webhooks import BYTES_MAX, PAGE_SIZE, PAGE_SIZE_MAX
from toplu.api.http.gate import Call, Gate
from toplu.api.http.paging import PAGE_QUERY, page_size, page_token
from toplu.api.http.responses import json_response
from toplu.clock import timestamp
from toplu.errors import NotFound
from toplu.webhooks.library import MISSING, Delivery, DeliveryState, Webhooks
from toplu.wire.gemini import webhook as wire

ANY = "-"  # in place of a webhook: those of all, and of addresses that batches named


class DeliveriesApi:
    """Serves `webhooks/…/deliveries`."""

    def __init__(self, *, library: Webhooks) -> None:
        self._library = library

    def routes(self, gate: Gate) -> list[Route]:
        every = "/{version:version}/webhooks/{webhook}/deliveries"
        one = f"{every}/{{delivery}}"
        return [
            Route(every, gate.endpoint(self.list, query=PAGE_QUERY), methods=["GET"]),
            Route(f"{one}:resend", gate.endpoint(self.resend), methods=["POST"]),
            Route(one, gate.endpoint(self.find), methods=["GET"]),
        ]

    async def list(self, call: Call) -> Response:
        """Answer with a page of deliveries, newest first."""
        name = call.path("webhook")
        webhook = None if name == ANY else await self._library.get(call.project, name)
        deliveries, next_token = await self._library.deliveries(
            call.project,
            size=page_size(call, default=PAGE_SIZE, largest=PAGE_SIZE_MAX),
            token=page_token(call),
            webhook=webhook,
        )
        page = wire.ListDeliveriesResponse(
            deliveries=[resource_of(each) for each in deliveries] or None,
            next_page_token=next_token,
        )
        return await json_response(call.request, page)

    async def find(self, call: Call) -> Response:
        """Answer with the delivery as it stands."""
        return await json_response(call.request, resource_of(await self._find(call)))

    async def resend(self, call: Call) -> Response:
        """Have the same sent again under the same id; the answer is the delivery."""
        delivery = await self._find(call)
        await call.read(wire.ResendDeliveryRequest, BYTES_MAX)
        return await json_response(call.request, resource_of(await self._library.resend(delivery)))

    async def _find(self, call: Call) -> Delivery:
        delivery = await self._library.delivery(call.project, call.path("delivery"))
        if call.path("webhook") not in {ANY, delivery.webhook}:
            raise NotFound(MISSING)
        return delivery


def resource_of(delivery: Delivery) -> wire.Delivery:
    """Return what clients see of the delivery."""
    waits = delivery.state is DeliveryState.WAITING
    return wire.Delivery(
        id=delivery.id,
        webhook=delivery.webhook,
        event=delivery.event,
        batch=None if delivery.batch is None else f"batches/{delivery.batch}",
        uri=delivery.uri,
        state=delivery.state,
        create_time=timestamp(delivery.created),
        attempts=delivery.attempts,
        next_try_time=timestamp(delivery.due) if waits and delivery.owner is None else None,
        last_try_time=None if delivery.tried is None else timestamp(delivery.tried),
        last_status=delivery.status,
        last_error=delivery.reason,
        end_time=None if delivery.ended is None else timestamp(delivery.ended),
    )
