"""Usage by day, quotas and keys: of the project that is looked at; an operator changes keys."""

from dataclasses import dataclass
from datetime import timedelta

from starlette.responses import Response
from starlette.routing import Route

from toplu.api.dashboard.gate import PageGate, Visit, see
from toplu.api.dashboard.rendering import render
from toplu.clock import Clock, timestamp
from toplu.errors import NotFound, PermissionDenied
from toplu.job import ProjectId
from toplu.money import Kind
from toplu.projects.keys import Keys
from toplu.projects.ledger import Ledger, Total
from toplu.projects.quotas import Quotas
from toplu.settings.server import Settings

PATH = "/ui/usage"
DAYS = 30
KEYS_SHOWN = 200
DATE_LENGTH = len("2026-11-22")


@dataclass(slots=True, kw_only=True)
class DayView:
    """One day's use."""

    day: str
    batch_tokens: int = 0
    interactive_tokens: int = 0
    requests: int = 0
    cost: int = 0

    @property
    def tokens(self) -> int:
        return self.batch_tokens + self.interactive_tokens


class UsagePages:
    """Handlers of the page of a project's use, and of its keys."""

    def __init__(
        self, *, settings: Settings, clock: Clock, keys: Keys, ledger: Ledger, quotas: Quotas
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._keys = keys
        self._ledger = ledger
        self._quotas = quotas

    def routes(self, gate: PageGate) -> list[Route]:
        return [
            Route(PATH, gate.page(self.show), methods=["GET"]),
            Route(f"{PATH}/keys", gate.form(self.create_key), methods=["POST"]),
            Route(f"{PATH}/keys/{{key}}/revoke", gate.form(self.revoke_key), methods=["POST"]),
        ]

    async def show(self, visit: Visit) -> Response:
        """Show the use of the last days, the quotas, and the keys."""
        return await self._page(visit, new_key="")

    async def create_key(self, visit: Visit, fields: dict[str, str]) -> Response:
        """Make a key and show it, this once."""
        _check_operator(visit)
        is_operator = fields.get("operator") == "yes"
        project = ProjectId(fields.get("project") or visit.project)
        key = await self._keys.create(project, fields.get("label", ""), is_operator=is_operator)
        return await self._page(visit, new_key=key)

    async def revoke_key(self, visit: Visit, _fields: dict[str, str]) -> Response:
        """Make a key invalid."""
        _check_operator(visit)
        wanted = visit.path("key")
        if wanted not in {key.id for key in await self._keys.list()}:
            raise NotFound("There is no such key.")
        await self._keys.revoke(wanted)
        return see(PATH)

    async def _page(self, visit: Visit, *, new_key: str) -> Response:
        project = visit.project
        tier = await self._quotas.tier_of(project)
        keys = [key for key in await self._keys.list() if key.project == project]
        return render(
            "usage.html",
            visit.visitor,
            path=PATH,
            days=await self._days(project),
            currency=self._settings.currency,
            tier=tier,
            holdings=await self._quotas.holdings(project),
            batches_max=await self._quotas.concurrent_batches_max(project),
            storage_max=await self._quotas.storage_bytes_max(project),
            keys=sorted(keys, key=lambda it: it.created, reverse=True)[:KEYS_SHOWN],
            new_key=new_key,
        )

    async def _days(self, project: ProjectId) -> list[DayView]:
        """Return a view for each of the last days, the newest first."""
        now = self._clock.now()
        days = [timestamp(now - timedelta(days=back))[:DATE_LENGTH] for back in range(DAYS)]
        views = {day: DayView(day=day) for day in days}
        for total in await self._ledger.totals(project=project, first_day=days[-1]):
            if total.day in views:
                _add(views[total.day], total)
        return list(views.values())


def _add(view: DayView, total: Total) -> None:
    tokens = total.usage.total_tokens
    if total.kind is Kind.BATCH:
        view.batch_tokens += tokens
    else:
        view.interactive_tokens += tokens
    view.requests += total.requests
    view.cost += total.cost_units


def _check_operator(visit: Visit) -> None:
    if not visit.visitor.is_operator:
        raise PermissionDenied("Only an operator makes and revokes keys.")
