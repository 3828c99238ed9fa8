"""Files: the list, downloads, deletion."""

from urllib.parse import quote

from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from toplu.api.dashboard.gate import PageGate, Visit, see
from toplu.api.dashboard.rendering import render
from toplu.files.library import Library

PATH = "/ui/files"
ROWS = 50


class FilePages:
    """Handlers of the pages of files."""

    def __init__(self, *, library: Library) -> None:
        self._library = library

    def routes(self, gate: PageGate) -> list[Route]:
        file = f"{PATH}/{{file}}"
        return [
            Route(PATH, gate.page(self.list), methods=["GET"]),
            Route(f"{file}/content", gate.page(self.content), methods=["GET"]),
            Route(f"{file}/delete", gate.form(self.delete), methods=["POST"]),
        ]

    async def list(self, visit: Visit) -> Response:
        """Show some files, the newest first."""
        files, token = await self._library.page(
            visit.project, size=ROWS, token=visit.asked("page") or None
        )
        return render("files.html", visit.visitor, path=PATH, files=files, next_page=token)

    async def content(self, visit: Visit) -> Response:
        """Send a file, for the browser to keep."""
        stored = await self._library.get(visit.project, visit.path("file"))
        name = quote(stored.display_name or stored.id, safe="")
        return StreamingResponse(
            self._library.stream(stored),
            media_type="application/octet-stream",
            headers={
                "Content-Disposition": f"attachment; filename*=UTF-8''{name}",
                "Content-Length": str(stored.size_bytes),
                "X-Content-Type-Options": "nosniff",
            },
        )

    async def delete(self, visit: Visit, _fields: dict[str, str]) -> Response:
        """Remove a file."""
        await self._library.delete(visit.project, visit.path("file"))
        return see(PATH)
