"""Spans as everybody makes them; while tracing is off each call returns at once.

    caller ─ traceparent ─▶ front door ─ traceparent ─▶ worker ─▶ engine ─ traceparent ─▶ server
                                 │ link
                                 ▼
                            job: plan, order, run shard …, assemble

The trace of a job has ids that follow from the job's own, so that any process adds to it and
nothing of it is kept in rows.
"""

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Protocol, Self

Value = str | int | Iterable[str]
Headers = Iterable[tuple[bytes, bytes]]


class TracedSpan(Protocol):
    """Something that takes time: a span of OpenTelemetry."""

    def note(self, name: str, value: Value) -> None:
        """Say more of it."""
        ...

    def rename(self, name: str) -> None:
        """Call it by what it has turned out to be."""
        ...

    def active(self) -> AbstractContextManager[object]:
        """Be what the present task works on, while the block runs."""
        ...

    def end(self) -> None:
        """Take note that it is over, for the first time; a block takes note by itself."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class Tracer(Protocol):
    """Makes spans and keeps them; see `tracing.otel`."""

    shows_contents: bool

    def called(self, name: str, headers: Headers) -> TracedSpan: ...
    def inner(self, name: str, values: Mapping[str, Value]) -> TracedSpan: ...
    def begin_job(self, job: str, values: Mapping[str, Value]) -> None: ...
    def step(self, name: str, job: str, values: Mapping[str, Value]) -> TracedSpan: ...
    def note(self, name: str, value: Value) -> None: ...
    def headers(self) -> dict[str, str]: ...
    def trace_id(self) -> str | None: ...


class _Nothing:
    """The span of everything while tracing is off."""

    def note(self, name: str, value: Value) -> None: ...

    def rename(self, name: str) -> None: ...

    def active(self) -> Self:
        return self

    def end(self) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...


NOTHING = _Nothing()
NO_VALUES: Mapping[str, Value] = {}


class Spans:
    """Makes spans, if there is something to make them with."""

    def __init__(self) -> None:
        self._tracer: Tracer | None = None

    def use(self, tracer: Tracer | None) -> None:
        """Make spans with this one from now on; None: make none."""
        self._tracer = tracer

    @property
    def are_made(self) -> bool:
        """Whether tracing is on."""
        return self._tracer is not None

    @property
    def shows_contents(self) -> bool:
        """Whether spans are to have what clients write and models answer."""
        return self._tracer is not None and self._tracer.shows_contents

    def called(self, name: str, headers: Headers) -> TracedSpan:
        """Return the span of a call from elsewhere, which goes on the trace of its caller."""
        return NOTHING if self._tracer is None else self._tracer.called(name, headers)

    def inner(self, name: str, values: Mapping[str, Value] = NO_VALUES) -> TracedSpan:
        """Return the span of a part of what the present task works on."""
        return NOTHING if self._tracer is None else self._tracer.inner(name, values)

    def begin_job(self, job: str, values: Mapping[str, Value]) -> None:
        """Begin the trace of a job, linked with the call that makes it."""
        if self._tracer is not None:
            self._tracer.begin_job(job, values)

    def step(self, name: str, job: str, values: Mapping[str, Value] = NO_VALUES) -> TracedSpan:
        """Return the span of a step of a job, in the trace of the job."""
        return NOTHING if self._tracer is None else self._tracer.step(name, job, values)

    def note(self, name: str, value: Value) -> None:
        """Say more of what the present task works on."""
        if self._tracer is not None:
            self._tracer.note(name, value)

    def headers(self) -> dict[str, str]:
        """Return the headers by which another process goes on the present trace."""
        return {} if self._tracer is None else self._tracer.headers()

    def trace_id(self) -> str | None:
        """Return the id of the present trace, for the log."""
        return None if self._tracer is None else self._tracer.trace_id()


SPANS = Spans()
