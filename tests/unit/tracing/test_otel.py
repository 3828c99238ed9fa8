"""Spans by OpenTelemetry, kept in memory."""

from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from toplu.tracing.otel import OtelTracer
from toplu.tracing.spans import SPANS

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


class Kept:
    """A tracer, and what it has sent."""

    def __init__(self, share: float = 1.0) -> None:
        self._exporter = InMemorySpanExporter()
        self.tracer = OtelTracer("worker-1", self._exporter, share=share, shows_contents=False)

    def spans(self) -> list[ReadableSpan]:
        self.tracer.shutdown()
        return list(self._exporter.get_finished_spans())


@pytest.fixture
def kept() -> Iterator[Kept]:
    made = Kept()
    SPANS.use(made.tracer)
    yield made
    SPANS.use(None)


def caller(flags: str = "01") -> list[tuple[bytes, bytes]]:
    return [(b"traceparent", f"00-{TRACE}-{CALLER}-{flags}".encode())]


def test_a_call_goes_on_the_trace_of_its_caller_and_hands_it_on(kept: Kept) -> None:
    with SPANS.called("call", caller()) as span:
        assert SPANS.trace_id() == TRACE
        with SPANS.inner("ask engine", {"toplu.lane": 2}):
            handed = SPANS.headers()["traceparent"]
        SPANS.note("toplu.project", "a")
        span.rename("POST /x")
    inner, outer = kept.spans()
    assert handed == f"00-{TRACE}-{inner.context.span_id:016x}-01"
    assert (inner.name, outer.name) == ("ask engine", "POST /x")
    assert inner.parent.span_id == outer.context.span_id
    assert f"{outer.parent.span_id:016x}" == CALLER
    assert (dict(inner.attributes), dict(outer.attributes)) == (
        {"toplu.lane": 2},
        {"toplu.project": "a"},
    )
    assert inner.resource.attributes["service.instance.id"] == "worker-1"


def test_a_header_that_is_none_begins_a_trace(kept: Kept) -> None:
    with SPANS.called("call", [(b"traceparent", b"\xff nonsense")]):
        assert SPANS.trace_id() not in (None, TRACE)
    (span,) = kept.spans()
    assert span.parent is None


def test_a_caller_that_is_not_traced_makes_no_span(kept: Kept) -> None:
    with SPANS.called("call", caller(flags="00")):
        assert SPANS.headers()["traceparent"].endswith("-00")
    assert kept.spans() == []


def test_steps_of_a_job_are_one_trace_whatever_process_takes_them(kept: Kept) -> None:
    with SPANS.called("call", caller()):
        SPANS.begin_job("a-job", {"toplu.project": "a"})
    other = Kept()
    step = other.tracer.step("run shard", "a-job", {"toplu.shard": 3})
    with step.active():
        pass
    step.end()
    root, call = kept.spans()
    (shard,) = other.spans()
    assert root.name == "job"
    assert shard.parent.span_id == root.context.span_id
    assert shard.context.trace_id == root.context.trace_id == call.links[0].context.trace_id
    assert f"{root.links[0].context.trace_id:032x}" == TRACE
    assert shard.attributes == {"toplu.job": "a-job", "toplu.shard": 3}


def test_a_share_of_all_jobs_is_traced_whole() -> None:
    kept = Kept(share=0.5)
    names = [f"job-{number}" for number in range(200)]
    for name in names:
        kept.tracer.begin_job(name, {})
        kept.tracer.step("assemble", name, {}).end()
    spans = kept.spans()
    by_name = {
        step: {span.attributes["toplu.job"] for span in spans if span.name == step}
        for step in ("job", "assemble")
    }
    assert by_name["job"] == by_name["assemble"]
    assert 50 < len(by_name["job"]) < 150


def test_an_error_ends_its_span_and_is_raised(kept: Kept) -> None:
    with pytest.raises(ValueError, match="it failed"), SPANS.inner("ask engine"):
        raise ValueError("it failed")
    (span,) = kept.spans()
    assert span.status.status_code.name == "ERROR"
