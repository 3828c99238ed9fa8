"""A network between a client and a server that breaks at a COMMIT."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from support.ports import free_port

PIECE_BYTES = 65536


class CuttingProxy:
    """Passes everything on, but for as many commits as it is told to cut."""

    def __init__(self, server_port: int) -> None:
        self.port = free_port()
        self.cuts_before = 0  # the server never hears of the commit
        self.cuts_after = 0  # the client never hears of the answer
        self._server_port = server_port

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with await asyncio.start_server(self._pass_on, "127.0.0.1", self.port):
            yield

    async def _pass_on(
        self, client_in: asyncio.StreamReader, client_out: asyncio.StreamWriter
    ) -> None:
        server_in, server_out = await asyncio.open_connection("127.0.0.1", self._server_port)
        answering = asyncio.gather(_copy(server_in, client_out))
        try:
            while piece := await client_in.read(PIECE_BYTES):
                if b"COMMIT" in piece and self.cuts_before:
                    self.cuts_before -= 1
                    return
                cuts = b"COMMIT" in piece and self.cuts_after
                if cuts:
                    answering.cancel()
                    await asyncio.wait({answering})
                server_out.write(piece)
                if cuts:
                    self.cuts_after -= 1
                    await server_in.read(PIECE_BYTES)
                    return
        finally:
            answering.cancel()
            for out in (client_out, server_out):
                out.close()


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while piece := await source.read(PIECE_BYTES):
        target.write(piece)
    target.close()
