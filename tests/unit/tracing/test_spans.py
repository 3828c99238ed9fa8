"""Tracing that is off: nothing is imported, nothing is made."""

import subprocess
import sys

from support.waiting import PATIENCE_SECONDS
from toplu.tracing.spans import NOTHING, SPANS

PROGRAM = """
import sys
import toplu.serving.api_process, toplu.serving.worker_process
from toplu.tracing.spans import SPANS
with SPANS.called("call", []), SPANS.inner("ask engine"):
    SPANS.note("name", 1)
print(sorted(name for name in sys.modules if name.startswith("opentelemetry")))
"""


def test_no_process_imports_opentelemetry_unless_it_is_to_trace() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE_SECONDS,
    )
    assert done.stdout.strip() == "[]"


def test_all_spans_are_one_that_does_nothing() -> None:
    assert SPANS.called("call", []) is SPANS.inner("x") is SPANS.step("x", "job") is NOTHING
    with SPANS.inner("x") as span, span.active():
        span.note("name", "value")
        span.rename("y")
        SPANS.begin_job("job", {})
    span.end()
    assert SPANS.headers() == {}
    assert SPANS.trace_id() is None
    assert not SPANS.are_made
    assert not SPANS.shows_contents
