"""The gate of a worker's door that listens on a network: processes with the secret come in.

    api ── the call, X-Toplu-Cluster: the secret ──▶ ClusterGate ──▶ the worker's application

Behind the gate a caller says whose call it is; so nobody else may come that far.
"""

import hmac
import ssl
from dataclasses import dataclass
from http import HTTPStatus

import structlog
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from toplu.settings.cluster import ClusterSettings
from toplu.settings.remote import Secret

log = structlog.get_logger()

HEADER = "X-Toplu-Cluster"
SCHEME = "Toplu-Cluster"
REFUSED = "This door is for the processes of its own cluster.\n"


@dataclass(frozen=True, slots=True)
class ClusterKeys:
    """The secret that the api shows at doors on other machines, and how it knows these."""

    secret: Secret
    tls: ssl.SSLContext

    @classmethod
    def of(cls, cluster: ClusterSettings) -> "ClusterKeys | None":
        """Return those of the settings, None if there is no secret; ConfigurationError as there."""
        secret = cluster.read_secret()
        if secret is None:
            return None
        return cls(secret, ssl.create_default_context(cafile=cluster.ca_file))


class ClusterGate:
    """Middleware before everything else: it lets in who has the secret."""

    def __init__(self, app: ASGIApp, secret: Secret) -> None:
        self._app = app
        self._secret = secret.reveal().encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not self._is_ours(scope):
            client = scope.get("client") or ("?", 0)
            log.warning("door_refused", client=client[0], path=scope["path"])
            refusal = PlainTextResponse(
                REFUSED, HTTPStatus.UNAUTHORIZED, {"WWW-Authenticate": SCHEME}
            )
            await refusal(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _is_ours(self, scope: Scope) -> bool:
        name = HEADER.lower().encode()
        shown = [value for each, value in scope["headers"] if each == name]
        return len(shown) == 1 and hmac.compare_digest(shown[0], self._secret)
