"""Spans by OpenTelemetry, sent by OTLP over HTTP; imported only where tracing is on."""

import hashlib
from collections.abc import Mapping
from contextvars import ContextVar
from types import TracebackType
from typing import Self

from opentelemetry import trace
from opentelemetry.context import Context, attach, detach
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import Decision, ParentBased, TraceIdRatioBased
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, TraceFlags
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from toplu.tracing import names
from toplu.tracing.spans import Headers, Value

EXPORT_SECONDS_MAX = 5.0  # of one try to send spans
CONTEXT_HEADERS = frozenset({b"traceparent", b"tracestate"})
TRACE_ID_BYTES, SPAN_ID_BYTES = 16, 8

# The ids that the next root is to have, in place of random ones.
_wanted: ContextVar[SpanContext | None] = ContextVar("wanted", default=None)


class OtelSpan:
    """A span, and the block that it is open for."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span
        self._within = trace.set_span_in_context(span)
        self._entered = trace.use_span(span, end_on_exit=True)

    def note(self, name: str, value: Value) -> None:
        self._span.set_attribute(name, _attribute(value))

    def rename(self, name: str) -> None:
        self._span.update_name(name)

    def active(self) -> "_Active":
        return _Active(self._within)

    def end(self) -> None:
        if self._span.is_recording():
            self._span.end()

    def __enter__(self) -> Self:
        self._entered.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._entered.__exit__(kind, error, trace)


class _Active:
    """A block in which a context is the present one; there is one for each request of a batch."""

    __slots__ = ("_token", "_within")

    def __init__(self, within: Context) -> None:
        self._within = within

    def __enter__(self) -> None:
        self._token = attach(self._within)

    def __exit__(self, *_: object) -> None:
        detach(self._token)


class OtelTracer:
    """Makes the spans of one process."""

    def __init__(
        self, process: str, exporter: SpanExporter, *, share: float, shows_contents: bool
    ) -> None:
        self.shows_contents = shows_contents
        self._sampler = TraceIdRatioBased(share)
        self._provider = TracerProvider(
            sampler=ParentBased(self._sampler),
            resource=Resource.create(
                {"service.name": names.SERVICE, "service.instance.id": process}
            ),
            id_generator=_Ids(),
        )
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("toplu")
        self._propagator = TraceContextTextMapPropagator()

    def called(self, name: str, headers: Headers) -> OtelSpan:
        carrier = {
            key.decode("latin-1"): value.decode("latin-1")
            for key, value in headers
            if key in CONTEXT_HEADERS
        }
        caller = self._propagator.extract(carrier, Context())
        return OtelSpan(self._tracer.start_span(name, caller, kind=SpanKind.SERVER))

    def inner(self, name: str, values: Mapping[str, Value]) -> OtelSpan:
        return OtelSpan(self._tracer.start_span(name, attributes=_attributes(values)))

    def begin_job(self, job: str, values: Mapping[str, Value]) -> None:
        """Make the root of the job's trace, which is over at once: its steps may come days later.

        It is linked with the call, and the call with it.
        """
        caller, root = trace.get_current_span(), _root_of(job, self._is_shown(job))
        token = _wanted.set(root)
        try:
            span = self._tracer.start_span(
                "job",
                Context(),
                links=[Link(caller.get_span_context())],
                attributes=_attributes({names.JOB: job, **values}),
            )
        finally:
            _wanted.reset(token)
        span.end()
        caller.add_link(root)
        caller.set_attribute(names.JOB, job)

    def step(self, name: str, job: str, values: Mapping[str, Value]) -> OtelSpan:
        parent = trace.set_span_in_context(
            NonRecordingSpan(_root_of(job, self._is_shown(job))), Context()
        )
        attributes = _attributes({names.JOB: job, **values})
        return OtelSpan(self._tracer.start_span(name, parent, attributes=attributes))

    def note(self, name: str, value: Value) -> None:
        trace.get_current_span().set_attribute(name, _attribute(value))

    def headers(self) -> dict[str, str]:
        carrier: dict[str, str] = {}
        self._propagator.inject(carrier)
        return carrier

    def trace_id(self) -> str | None:
        context = trace.get_current_span().get_span_context()
        return f"{context.trace_id:032x}" if context.is_valid else None

    def shutdown(self) -> None:
        """Send what is left, and end."""
        self._provider.shutdown()

    def _is_shown(self, job: str) -> bool:
        """Return whether the trace of the job is one of the share; all its steps agree."""
        result = self._sampler.should_sample(None, _trace_id_of(job), "job")
        return result.decision is Decision.RECORD_AND_SAMPLE


def exporter_to(url: str) -> SpanExporter:
    """Return what sends spans to a collector."""
    return OTLPSpanExporter(endpoint=url, timeout=EXPORT_SECONDS_MAX)


class _Ids(RandomIdGenerator):
    """Random ids, but for the root of a job's trace."""

    def generate_trace_id(self) -> int:
        wanted = _wanted.get()
        return super().generate_trace_id() if wanted is None else wanted.trace_id

    def generate_span_id(self) -> int:
        wanted = _wanted.get()
        return super().generate_span_id() if wanted is None else wanted.span_id


def _root_of(job: str, is_sampled: bool) -> SpanContext:
    return SpanContext(
        trace_id=_trace_id_of(job),
        span_id=_digest(job, SPAN_ID_BYTES),
        is_remote=True,
        trace_flags=TraceFlags(TraceFlags.SAMPLED if is_sampled else TraceFlags.DEFAULT),
    )


def _trace_id_of(job: str) -> int:
    return _digest(job, TRACE_ID_BYTES)


def _digest(job: str, size: int) -> int:
    return int.from_bytes(hashlib.blake2b(job.encode(), digest_size=size).digest())


def _attributes(values: Mapping[str, Value]) -> dict[str, str | int | list[str]]:
    return {name: _attribute(value) for name, value in values.items()}


def _attribute(value: Value) -> str | int | list[str]:
    return value if isinstance(value, str | int) else list(value)
