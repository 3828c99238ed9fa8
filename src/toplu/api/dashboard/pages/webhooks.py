"""Webhooks: who is told of a batch's end, what they were told, and once more by hand."""

from starlette.responses import Response
from starlette.routing import Route

from toplu.api.dashboard.gate import PageGate, Visit, see
from toplu.api.dashboard.rendering import render
from toplu.job import Wire
from toplu.webhooks.library import EVENTS, Webhook, Webhooks, WebhookState

PATH = "/ui/webhooks"
ROWS = 50
DELIVERIES = 25
APIS = {"gemini": Wire.GEMINI, "openai": Wire.OPENAI}


class WebhookPages:
    """Handlers of the page of webhooks."""

    def __init__(self, *, webhooks: Webhooks) -> None:
        self._webhooks = webhooks

    def routes(self, gate: PageGate) -> list[Route]:
        webhook = f"{PATH}/{{webhook}}"
        return [
            Route(PATH, gate.page(self.show), methods=["GET"]),
            Route(PATH, gate.form(self.create), methods=["POST"]),
            Route(f"{webhook}/ping", gate.form(self.ping), methods=["POST"]),
            Route(f"{webhook}/rotate", gate.form(self.rotate), methods=["POST"]),
            Route(f"{webhook}/enable", gate.form(self.enable), methods=["POST"]),
            Route(f"{webhook}/disable", gate.form(self.disable), methods=["POST"]),
            Route(f"{webhook}/delete", gate.form(self.delete), methods=["POST"]),
            Route(
                f"{PATH}/deliveries/{{delivery}}/resend", gate.form(self.resend), methods=["POST"]
            ),
        ]

    async def show(self, visit: Visit) -> Response:
        """Show the webhooks of the project and what they were told."""
        return await self._page(visit, secret="")

    async def create(self, visit: Visit, fields: dict[str, str]) -> Response:
        """Make a webhook for every event of an API, and show its secret, this once."""
        wire = APIS.get(fields.get("api", ""), Wire.GEMINI)
        _, secret = await self._webhooks.create(
            visit.project,
            uri=fields.get("uri", ""),
            events=EVENTS[wire],
            name=fields.get("name", ""),
            wire=wire,
        )
        return await self._page(visit, secret=secret)

    async def ping(self, visit: Visit, _fields: dict[str, str]) -> Response:
        """Have a webhook told of nothing, to see whether it answers."""
        await self._webhooks.ping(await self._asked(visit))
        return see(f"{PATH}#deliveries")

    async def rotate(self, visit: Visit, _fields: dict[str, str]) -> Response:
        """Show a new secret, this once; those before it are valid for a day."""
        return await self._page(visit, secret=await self._webhooks.rotate(await self._asked(visit)))

    async def enable(self, visit: Visit, _fields: dict[str, str]) -> Response:
        """Have a webhook told again."""
        return await self._change(visit, WebhookState.ENABLED)

    async def disable(self, visit: Visit, _fields: dict[str, str]) -> Response:
        """Have a webhook told nothing for now."""
        return await self._change(visit, WebhookState.DISABLED)

    async def delete(self, visit: Visit, _fields: dict[str, str]) -> Response:
        """Forget a webhook."""
        await self._webhooks.delete(await self._asked(visit))
        return see(PATH)

    async def resend(self, visit: Visit, _fields: dict[str, str]) -> Response:
        """Send a delivery again."""
        delivery = await self._webhooks.delivery(visit.project, visit.path("delivery"))
        await self._webhooks.resend(delivery)
        return see(f"{PATH}#deliveries")

    async def _asked(self, visit: Visit) -> Webhook:
        return await self._webhooks.get(visit.project, visit.path("webhook"))

    async def _change(self, visit: Visit, state: WebhookState) -> Response:
        await self._webhooks.update(await self._asked(visit), {"state": state})
        return see(PATH)

    async def _page(self, visit: Visit, *, secret: str) -> Response:
        webhooks, _ = await self._webhooks.page(visit.project, size=ROWS, token=None)
        deliveries, older = await self._webhooks.deliveries(
            visit.project, size=DELIVERIES, token=visit.asked("page") or None
        )
        return render(
            "webhooks.html",
            visit.visitor,
            path=PATH,
            webhooks=webhooks,
            deliveries=deliveries,
            older=older,
            apis=list(APIS),
            secret=secret,
        )
