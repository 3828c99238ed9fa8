"""Counters and times of what happens in a process, in its own memory."""

from collections import defaultdict

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)

from toplu.metrics.bounded_names import BoundedNames
from toplu.metrics.recent import RecentActivity

# The moment of a first count is nothing to anybody.
disable_created_metrics()  # type: ignore[no-untyped-call]

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)  # memory, processor time, open files

PROJECTS_MAX = 1000  # with a series of their own
PROJECTS = BoundedNames(PROJECTS_MAX)

# By the name of the model.
RECENT: defaultdict[str, RecentActivity] = defaultdict(RecentActivity)

# Kinds of requests: of batches, and interactive calls.
BATCH, CALL = "batch", "call"
# Their outcomes; a request of a batch that asks the very same as another one may have its answer,
# and that of one in a batch before.
SUCCEEDED, FAILED, COPIED, REUSED = "succeeded", "failed", "copied", "reused"
# Wide enough for calls that are answered at once and for those that take minutes.
CALL_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
HTTP_BUCKETS = (0.005, 0.025, 0.1, 0.5, 2.0, 10.0, 60.0)
COMMIT_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)

REQUESTS = Counter(
    "toplu_requests_total",
    "Requests that have their outcome: of batches when it is durable, of calls when they end.",
    ("model", "kind", "outcome"),
    registry=REGISTRY,
)
TOKENS = Counter(
    "toplu_tokens_total",
    "Tokens of prompts, those of them that were not computed again, and tokens of answers.",
    ("model", "kind"),
    registry=REGISTRY,
)
PROJECT_TOKENS = Counter(
    "toplu_project_tokens_total",
    "Tokens of prompts and answers of a project.",
    ("project",),
    registry=REGISTRY,
)
CALL_SECONDS = Histogram(
    "toplu_call_seconds",
    "Time of an interactive call at its worker, to the end of its answer.",
    ("model",),
    registry=REGISTRY,
    buckets=CALL_BUCKETS,
)
FIRST_CHUNK_SECONDS = Histogram(
    "toplu_first_chunk_seconds",
    "Time of a streamed call at its worker, to the first chunk of its answer.",
    ("model",),
    registry=REGISTRY,
    buckets=CALL_BUCKETS,
)
COMMIT_SECONDS = Histogram(
    "toplu_commit_seconds",
    "Time in which a group of results was made durable and counted.",
    registry=REGISTRY,
    buckets=COMMIT_BUCKETS,
)
ENGINE_RESTARTS = Counter(
    "toplu_engine_restarts_total",
    "Engines that ended by themselves, or of whose servers none was fit, and were started again.",
    ("model",),
    registry=REGISTRY,
)
WEBHOOK_TRIES = Counter(
    "toplu_webhook_tries_total",
    "Tries to deliver an event to an address.",
    ("event", "outcome"),
    registry=REGISTRY,
)
HTTP_REQUESTS = Counter(
    "toplu_http_requests_total",
    "Calls at the front door that were answered.",
    ("route", "code"),
    registry=REGISTRY,
)
HTTP_SECONDS = Histogram(
    "toplu_http_seconds",
    "Time of a call at the front door, to the end of its answer.",
    ("route",),
    registry=REGISTRY,
    buckets=HTTP_BUCKETS,
)


def expect(model: str) -> None:
    """Have the counters of a model stand at 0, so that monitors see their first steps."""
    ENGINE_RESTARTS.labels(model)
    REQUESTS.labels(model, BATCH, SUCCEEDED)
    for kind in ("prompt", "cached", "output"):
        TOKENS.labels(model, kind)


def note_tokens(model: str, project: str, *, prompt: int, cached: int, output: int) -> None:
    """Count what a project used of a model."""
    TOKENS.labels(model, "prompt").inc(prompt)
    TOKENS.labels(model, "cached").inc(cached)
    TOKENS.labels(model, "output").inc(output)
    PROJECT_TOKENS.labels(PROJECTS.of(project)).inc(prompt + output)
    RECENT[model].note_tokens(prompt=prompt, cached=cached)


def note_call(model: str, outcome: str, *, seconds: float, first_chunk: float | None) -> None:
    """Count an interactive call that ended; `first_chunk`: the seconds to it, if it streamed."""
    REQUESTS.labels(model, CALL, outcome).inc()
    CALL_SECONDS.labels(model).observe(seconds)
    RECENT[model].note_call(seconds)
    if first_chunk is not None:
        FIRST_CHUNK_SECONDS.labels(model).observe(first_chunk)
