"""The door of a worker in another process: an application whose answers come through a socket.

On one machine that is a Unix socket; to another machine it is TCP, with the cluster's secret.

It behaves as the worker's own application would in this process: what it answers goes on as it
comes, byte for byte, and a client that goes away ends the call over there.
"""

import asyncio

import aiohttp
import structlog
from starlette.requests import Request
from starlette.types import Receive, Scope, Send
from yarl import URL

from toplu.api.doors.cluster import HEADER, SCHEME, ClusterKeys
from toplu.api.doors.forwarded_call import DoorBroke, DoorClosed
from toplu.api.http.disconnects import while_connected

log = structlog.get_logger()

CONNECT_SECONDS_MAX = 5.0
# The bounds of a call are the worker's; this one is of a worker that no longer keeps them.
SILENCE_SECONDS_MAX = 3600.0
PIECE_BYTES_MAX = 1024 * 1024
# Of one connection alone, and no part of the answer.
OF_CONNECTIONS = frozenset({b"connection", b"keep-alive", b"transfer-encoding", b"date", b"server"})


class SocketDoor:
    """The application of a worker that listens at an address: the path of a socket, or a URL."""

    def __init__(self, address: str, keys: ClusterKeys | None = None) -> None:
        is_path = address.startswith("/")
        self._base = URL("http://worker" if is_path else address)
        # One that has no secret is refused at the door, and goes to the next one.
        shown = {} if is_path or keys is None else {HEADER: keys.secret.reveal()}
        self._session = aiohttp.ClientSession(
            connector=aiohttp.UnixConnector(address, limit=0)
            if is_path
            else aiohttp.TCPConnector(limit=0, ssl=True if keys is None else keys.tls),
            headers=shown,
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=CONNECT_SECONDS_MAX, sock_read=SILENCE_SECONDS_MAX
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
            read_bufsize=PIECE_BYTES_MAX,
            trust_env=False,
        )

    async def close(self) -> None:
        """Break off the calls in flight."""
        await self._session.close()

    async def read(self, path: str, *, seconds_max: float) -> bytes:
        """Return the answer to a GET; DoorClosed if it does not come whole, in time."""
        try:
            async with (
                asyncio.timeout(seconds_max),
                self._session.get(self._base.with_path(path)) as answer,
            ):
                answer.raise_for_status()
                return await answer.read()
        except (aiohttp.ClientError, OSError, RuntimeError) as error:
            raise DoorClosed(type(error).__name__) from error

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the call; DoorClosed while nothing of an answer has come, DoorBroke after that.

        Raises Cancelled if the client goes away first.
        """
        request = Request(scope, receive)
        body = await request.body()
        await while_connected(request, self._answer(scope, body, send))

    async def _answer(self, scope: Scope, body: bytes, send: Send) -> None:
        async with await self._ask(scope, body) as answer:
            headers = [
                (name.lower(), value)
                for name, value in answer.raw_headers
                if name.lower() not in OF_CONNECTIONS
            ]
            await send({"type": "http.response.start", "status": answer.status, "headers": headers})
            try:
                async for piece in answer.content.iter_any():
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
            except (aiohttp.ClientError, OSError) as error:
                raise DoorBroke from error
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _ask(self, scope: Scope, body: bytes) -> aiohttp.ClientResponse:
        url = URL.build(
            scheme=self._base.scheme,
            authority=self._base.authority,
            path=scope["raw_path"].decode("ascii"),
            query_string=scope["query_string"].decode("ascii"),
            encoded=True,
        )
        headers = [
            (name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]
        ]
        try:
            answer = await self._session.request(
                scope["method"], url, data=body, headers=headers, allow_redirects=False
            )
        except (aiohttp.ClientError, OSError, RuntimeError) as error:
            # RuntimeError: the session was closed, because the worker is no more.
            raise DoorClosed from error
        if answer.headers.get("WWW-Authenticate") == SCHEME:
            answer.release()
            log.error("door_refuses", door=str(self._base), reason="another secret of the cluster")
            raise DoorClosed
        return answer
