"""Batches: the list, one of them with its results, and what can be done with it."""

from starlette.responses import Response
from starlette.routing import Route

from toplu.api.dashboard.batch_deeds import BatchDeeds
from toplu.api.dashboard.batch_views import BatchViews
from toplu.api.dashboard.gate import PageGate, Visit, see
from toplu.api.dashboard.rendering import fill, render
from toplu.api.dashboard.views import SHOWN_LINE_MAX, BatchView, result_view
from toplu.api.dashboard.visitor import Visitor
from toplu.batch.results.browsing import Place, ResultBrowser, Wanted
from toplu.errors import NotFound
from toplu.job import Job, JobId

PATH = "/ui/batches"
ROWS = 50
SEARCH_LENGTH_MAX = 200


class BatchPages:
    """Handlers of the pages of batches."""

    def __init__(self, *, views: BatchViews, browser: ResultBrowser, deeds: BatchDeeds) -> None:
        self._views = views
        self._browser = browser
        self._deeds = deeds

    def routes(self, gate: PageGate) -> list[Route]:
        batch = f"{PATH}/{{batch}}"
        return [
            Route(PATH, gate.page(self.list), methods=["GET"]),
            Route(batch, gate.page(self.show), methods=["GET"]),
            Route(f"{batch}/requests/{{number:int}}", gate.page(self.request), methods=["GET"]),
            Route(f"{batch}/results", gate.page(self._deeds.results), methods=["GET"]),
            Route(f"{batch}/receipt", gate.page(self._deeds.receipt), methods=["GET"]),
            Route(f"{batch}/cancel", gate.form(self.cancel), methods=["POST"]),
            Route(f"{batch}/pause", gate.form(self.pause), methods=["POST"]),
            Route(f"{batch}/resume", gate.form(self.resume), methods=["POST"]),
            Route(f"{batch}/retry", gate.form(self.retry), methods=["POST"]),
            Route(f"{batch}/complete", gate.form(self.complete), methods=["POST"]),
            Route(f"{batch}/delete", gate.form(self.delete), methods=["POST"]),
        ]

    async def list(self, visit: Visit) -> Response:
        """Show some batches, the newest first."""
        batches, more = await self._views.page(
            visit.project, visit.asked("behind") or None, size=ROWS
        )
        return render(
            "batches.html",
            visit.visitor,
            path=PATH,
            batches=batches,
            behind=batches[-1].id if more else None,
        )

    async def show(self, visit: Visit) -> Response:
        """Show one batch and a screenful of its results."""
        batch = await self._views.find(visit.project, visit.path("batch"))
        part = _part_of(batch, visit.asked("part"))
        wanted = Wanted(
            failed_only=visit.asked("show") == "failed",
            text=visit.asked("search")[:SEARCH_LENGTH_MAX],
        )
        screen = await self._browser.screen(part, _place_of(visit.asked("at")), wanted)
        return render(
            "batch.html",
            visit.visitor,
            path=PATH,
            batch=batch,
            part=part,
            wanted=wanted,
            screen=screen,
            results=[result_view(result) for result in screen.results],
            live=self.live_part(visit.visitor, batch),
        )

    async def parts(self, visitor: Visitor, batch_id: str) -> dict[str, str]:
        """Return the live part of a batch's page as HTML; NotFound: it is gone."""
        batch = await self._views.find(visitor.project, batch_id)
        ended = {"ended": batch.state} if batch.job.is_final else {}
        return {"batch": self.live_part(visitor, batch)} | ended

    def live_part(self, visitor: Visitor, batch: BatchView) -> str:
        """Return the part of the page that changes while the batch runs."""
        return fill("parts/batch.html", batch=batch, visitor=visitor)

    async def request(self, visit: Visit) -> Response:
        """Show one request as it came."""
        batch = await self._views.find(visit.project, visit.path("batch"))
        number = int(visit.request.path_params["number"])
        line = await self._browser.request(_part_of(batch, visit.asked("part")), number)
        shown = None if line is None else line[: SHOWN_LINE_MAX * 4].decode("utf-8", "replace")
        return render(
            "request.html", visit.visitor, path=PATH, batch=batch, number=number, line=shown
        )

    async def cancel(self, visit: Visit, _fields: dict[str, str]) -> Response:
        """Start no further request of the batch."""
        batch = visit.path("batch")
        await self._deeds.cancel(visit.project, JobId(batch))
        return see(f"{PATH}/{batch}")

    async def pause(self, visit: Visit, _fields: dict[str, str]) -> Response:
        """Begin nothing more of the batch."""
        return await self._pause(visit, paused=True)

    async def resume(self, visit: Visit, _fields: dict[str, str]) -> Response:
        """Go on with the batch."""
        return await self._pause(visit, paused=False)

    async def _pause(self, visit: Visit, *, paused: bool) -> Response:
        batch = visit.path("batch")
        await self._deeds.pause(visit.project, JobId(batch), paused=paused)
        return see(f"{PATH}/{batch}")

    async def retry(self, visit: Visit, _fields: dict[str, str]) -> Response:
        """Make a batch of what failed or was not reached, and show it."""
        batch = await self._views.find(visit.project, visit.path("batch"))
        return see(f"{PATH}/{await self._deeds.retry(batch.jobs, merge=False)}")

    async def complete(self, visit: Visit, _fields: dict[str, str]) -> Response:
        """Make a batch that runs the same and has all other results as well, and show it."""
        batch = await self._views.find(visit.project, visit.path("batch"))
        return see(f"{PATH}/{await self._deeds.retry(batch.jobs, merge=True)}")

    async def delete(self, visit: Visit, _fields: dict[str, str]) -> Response:
        """Forget the batch with its results."""
        await self._deeds.delete(visit.project, JobId(visit.path("batch")))
        return see(PATH)


def _part_of(batch: BatchView, asked: str) -> Job:
    """Return the job of the batch that is looked at: one for each engine."""
    if not asked:
        return batch.jobs[0]
    for job in batch.jobs:
        if job.id == asked:
            return job
    raise NotFound("The batch has no such part.")


def _place_of(asked: str) -> Place:
    if not asked:
        return Place()
    return Place.of_text(asked)
