"""Connects to machines whose very address was looked at.

A name is resolved once for each try, and the socket is made for the address that was looked at:
there is no second look-up that could answer something else.
"""

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from toplu.outbound.addresses import AddressGuard

LOOK_UPS_AT_A_TIME = 4  # a name whose server is silent holds up other names, and nothing else


class GuardedConnector(aiohttp.TCPConnector):
    """Connects to addresses that may be asked, each looked at as its socket is made."""

    def __init__(self, guard: AddressGuard, resolver: AbstractResolver) -> None:
        def make(info: Any) -> socket.socket:
            family, kind, protocol, _, place = info
            guard.check(place[0])
            return socket.socket(family, kind, protocol)

        super().__init__(
            resolver=resolver, use_dns_cache=False, force_close=True, socket_factory=make
        )


class Resolver(AbstractResolver):
    """Looks names up on threads of its own."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(LOOK_UPS_AT_A_TIME, thread_name_prefix="look-up")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of the name."""
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(
            self._threads, lambda: socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)
        )
        return [
            ResolveResult(
                hostname=host,
                host=str(place[0]),
                port=port,
                family=kind,
                proto=protocol,
                flags=socket.AI_NUMERICHOST,
            )
            for kind, _, protocol, _, place in found
        ]

    async def close(self) -> None:
        """Keep the threads: each try has a connector of its own, and all have this resolver."""
