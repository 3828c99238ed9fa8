"""The first page: engines, what waits, and the batches at work; and its live parts."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from starlette.responses import Response
from starlette.routing import Route

from toplu.api.dashboard.batch_views import BatchViews
from toplu.api.dashboard.gate import PageGate, Visit
from toplu.api.dashboard.rendering import fill, render
from toplu.api.dashboard.visitor import Visitor
from toplu.batch.schedule.wait_reason import WaitReasons
from toplu.batch.schedule.wait_status import Queue
from toplu.batch.token_rate import Point, TokenRate
from toplu.job import ProjectId
from toplu.money import WORK_OF_PROMPT_TOKEN
from toplu.replica import Replica
from toplu.settings.server import Settings
from toplu.workers.roster import Roster

ROWS = 20
PROJECTS_SHOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineView:
    """An engine, as it stands."""

    name: str
    state: str
    reason: str
    lanes: int
    busy: int
    tokens_waiting: int
    prefix_share: float | None  # of prompt tokens, not computed again; None: there were none
    call_p95_seconds: float | None  # of the slowest replica; None: there was no call


class Overview:
    """The parts of the page, each read anew."""

    def __init__(
        self,
        *,
        settings: Settings,
        roster: Roster,
        wait_reasons: WaitReasons,
        views: BatchViews,
        rate: TokenRate,
    ) -> None:
        self._models = settings.models
        self._roster = roster
        self._wait_reasons = wait_reasons
        self._views = views
        self._rate = rate

    def routes(self, gate: PageGate) -> list[Route]:
        return [Route("/", gate.page(self.show), methods=["GET"])]

    async def show(self, visit: Visit) -> Response:
        """Show how the server stands."""
        return render(
            "overview.html",
            visit.visitor,
            path="/",
            points=list(await self._rate.points()),
            parts=await self.parts(visit.visitor),
        )

    async def parts(self, visitor: Visitor) -> dict[str, str]:
        """Return the live parts as HTML, by name."""
        queues = {model.name: await self._wait_reasons.queue(model.name) for model in self._models}
        batches, _ = await self._views.page(visitor.project, None, size=ROWS)
        waiting = _waiting(queues.values(), None if visitor.is_operator else visitor.project)
        return {
            "engines": fill("parts/engines.html", engines=await self._engines(queues)),
            "queue": fill("parts/queue.html", projects=waiting[:PROJECTS_SHOWN]),
            "rows": fill("parts/batch_rows.html", batches=batches, visitor=visitor),
        }

    async def points(self) -> Sequence[Point]:
        """Return the chart's points."""
        return await self._rate.points()

    async def _engines(self, queues: dict[str, Queue]) -> list[EngineView]:
        present = await self._roster.present()
        states, reasons = present.states(), present.reasons()
        return [
            EngineView(
                name=name,
                state=states[name].lower() if name in states else "not here",
                reason=reasons.get(name, ""),
                lanes=queue.candidates.engine.lanes,
                busy=sum(job.lanes for job in queue.candidates.jobs),
                tokens_waiting=_tokens(sum(job.work for job in queue.candidates.jobs)),
                prefix_share=_prefix_share(present.replicas(name)),
                call_p95_seconds=max(
                    (it.call_p95_seconds for it in present.replicas(name) if it.call_p95_seconds),
                    default=None,
                ),
            )
            for name, queue in queues.items()
        ]


def _prefix_share(replicas: Sequence[Replica]) -> float | None:
    prompt = sum(it.prompt_tokens for it in replicas)
    return sum(it.cached_tokens for it in replicas) / prompt if prompt else None


def _waiting(queues: Iterable[Queue], only: ProjectId | None) -> list[tuple[ProjectId, int]]:
    """Return the prompt tokens that wait by project, most first."""
    work: defaultdict[ProjectId, float] = defaultdict(float)
    for queue in queues:
        for job in queue.candidates.jobs:
            if only in (None, job.project):
                work[job.project] += job.work
    return [
        (project, _tokens(amount))
        for project, amount in sorted(work.items(), key=lambda it: it[1], reverse=True)
    ]


def _tokens(work: float) -> int:
    return round(work / WORK_OF_PROMPT_TOKEN)
