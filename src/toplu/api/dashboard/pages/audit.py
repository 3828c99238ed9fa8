"""The audit log: who did what in the project."""

from starlette.responses import Response
from starlette.routing import Route

from toplu.api.dashboard.gate import PageGate, Visit
from toplu.api.dashboard.rendering import render
from toplu.projects.audit_log import AuditLog

PATH = "/ui/audit"
ROWS = 50


class AuditPage:
    """The handler of its page."""

    def __init__(self, *, audit: AuditLog) -> None:
        self._audit = audit

    def routes(self, gate: PageGate) -> list[Route]:
        return [Route(PATH, gate.page(self.show), methods=["GET"])]

    async def show(self, visit: Visit) -> Response:
        """Show some entries, the newest first."""
        token = visit.asked("page") or None
        entries, older = await self._audit.page(size=ROWS, project=visit.project, token=token)
        return render("audit.html", visit.visitor, path=PATH, entries=entries, older=older)
