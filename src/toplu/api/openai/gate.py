"""The gate of OpenAI's calls: whose each is. Query parameters that nobody knows pass, as there."""

from starlette.requests import Request
from starlette.responses import Response

from toplu.api.http.gate import Call, Endpoint, Handler
from toplu.api.http.identity import Identity
from toplu.errors import InvalidArgument, PermissionDenied, Unauthenticated

PREFIX = "/openai/v1"
NO_KEY = (
    "You didn't provide an API key. Provide it in an Authorization header using Bearer auth (i.e. "
    "Authorization: Bearer YOUR_KEY)."
)


class OpenaiGate:
    """Turns handlers of calls into endpoints of the router."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity

    def endpoint(self, handler: Handler) -> Endpoint:
        """Return an endpoint that calls the handler for the project of the key."""

        async def answer(request: Request) -> Response:
            return await handler(await self._admit(request))

        return answer

    async def _admit(self, request: Request) -> Call:
        try:
            project = await self._identity.project_of(request)
        except PermissionDenied as error:
            raise Unauthenticated(NO_KEY) from error
        except InvalidArgument as error:
            raise Unauthenticated("Incorrect API key provided.") from error
        return Call(request=request, project=project)
