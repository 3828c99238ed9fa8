"""A server that is asked is told the trace that it works for."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from toplu.engines.http.client import HttpClient
from toplu.tracing.otel import OtelTracer
from toplu.tracing.spans import SPANS

TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
async def asked() -> AsyncIterator[tuple[HttpClient, list[str | None]]]:
    """Yield a client of a server, and the trace context of each request there."""
    seen: list[str | None] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request.headers.get("traceparent"))
        return web.json_response({})

    app = web.Application()
    app.router.add_post("/answer", answer)
    async with TestServer(app) as server:
        client = HttpClient(
            str(server.make_url("/")),
            headers={},
            connections_max=1,
            connect_seconds_max=60,
            silence_seconds_max=60,
            response_bytes_max=1000,
        )
        yield client, seen
        await client.close()


async def test_a_server_is_handed_the_trace_and_nothing_while_there_is_none(
    asked: tuple[HttpClient, list[str | None]],
) -> None:
    client, seen = asked
    async with client.ask("/answer", {}) as response:
        assert response.status == 200
    tracer = OtelTracer("worker-1", InMemorySpanExporter(), share=1.0, shows_contents=False)
    SPANS.use(tracer)
    try:
        with SPANS.called("call", [(b"traceparent", f"00-{TRACE}-{'1' * 16}-01".encode())]):
            async with client.ask("/answer", {}):
                pass
    finally:
        SPANS.use(None)
        tracer.shutdown()
    assert seen[0] is None
    assert seen[1] is not None
    assert seen[1].startswith(f"00-{TRACE}-")
