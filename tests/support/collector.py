"""A collector of traces: OTLP over HTTP, in protobuf, as the real ones take it."""

import gzip
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A span as it arrived."""

    process: str
    name: str
    trace: str
    id: str
    parent: str
    links: frozenset[str]  # traces
    values: dict[str, object] = field(compare=False)


class Collector:
    """Everything that has arrived."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._spans: list[Seen] = []
        self._lock = threading.Lock()

    def take(self, body: bytes) -> None:
        request = ExportTraceServiceRequest.FromString(body)
        with self._lock:
            for resource in request.resource_spans:
                process = _values(resource.resource.attributes)["service.instance.id"]
                for scope in resource.scope_spans:
                    self._spans += [_seen(str(process), span) for span in scope.spans]

    def spans(self, **wanted: str) -> list[Seen]:
        """Return those that have these fields."""
        with self._lock:
            return [
                span
                for span in self._spans
                if all(getattr(span, name) == value for name, value in wanted.items())
            ]


@contextmanager
def collector() -> Iterator[Collector]:
    """Run one on a free port."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # http.server's name
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            found.take(body)
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(200)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found = Collector(f"http://127.0.0.1:{server.server_port}/v1/traces")
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join()


def _seen(process: str, span: object) -> Seen:
    return Seen(
        process=process,
        name=span.name,
        trace=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        links=frozenset(link.trace_id.hex() for link in span.links),
        values=_values(span.attributes),
    )


def _values(attributes: object) -> dict[str, object]:
    found: dict[str, object] = {}
    for it in attributes:
        kind = it.value.WhichOneof("value")
        value = getattr(it.value, kind)
        found[it.key] = (
            [each.string_value for each in value.values] if kind == "array_value" else value
        )
    return found
