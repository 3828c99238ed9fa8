"""Sign in with an API key, sign out, and the project that an operator looks at."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from toplu.api.dashboard.gate import SIGN_IN, PageGate, Visit, read_fields, see
from toplu.api.dashboard.rendering import render
from toplu.api.dashboard.visitor import CHOSEN, SESSION, set_cookie
from toplu.errors import InvalidArgument, PermissionDenied
from toplu.projects.keys import PROJECT

FORBIDDEN = 403


class SignInPages:
    """Handlers of sessions."""

    def __init__(self, gate: PageGate, *, is_secure: bool) -> None:
        self._gate = gate
        self._is_secure = is_secure  # clients come by TLS, by a proxy

    def routes(self) -> list[Route]:
        return [
            Route(SIGN_IN, self.show, methods=["GET"]),
            Route(SIGN_IN, self.begin, methods=["POST"]),
            Route("/ui/sign-out", self._gate.form(self.end), methods=["POST"]),
            Route("/ui/project", self._gate.form(self.choose), methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """Ask for a key."""
        return render("sign_in.html", None, next=_next_of(request), fault="")

    async def begin(self, request: Request) -> Response:
        """Begin a session; a form from elsewhere does not come here, see `BrowserGuard`."""
        fields = await read_fields(request)
        try:
            session = await self._gate.sessions.begin(fields.get("key", "").strip())
        except PermissionDenied as error:
            page = {"next": _next_of(request), "fault": error.message}
            return render("sign_in.html", None, status=FORBIDDEN, **page)
        answer = see(_next_of(request) or "/")
        set_cookie(answer, SESSION, session, is_secure=self._is_secure)
        return answer

    async def end(self, _visit: Visit, _fields: dict[str, str]) -> Response:
        """Have the browser forget the session."""
        answer = see(SIGN_IN)
        for name in (SESSION, CHOSEN):
            answer.delete_cookie(name, httponly=True, samesite="strict", secure=self._is_secure)
        return answer

    async def choose(self, visit: Visit, fields: dict[str, str]) -> Response:
        """Look at another project, which an operator may."""
        project = fields.get("project", "")
        if not visit.visitor.is_operator:
            raise PermissionDenied("Only an operator may look at other projects.")
        if PROJECT.fullmatch(project) is None:
            raise InvalidArgument("There is no such project.")
        answer = see("/")
        set_cookie(answer, CHOSEN, project, is_secure=self._is_secure)
        return answer


def _next_of(request: Request) -> str:
    """Return the page that was wanted; one elsewhere is none."""
    wanted = request.query_params.get("next", "")
    return wanted if wanted.startswith("/ui/") else ""
