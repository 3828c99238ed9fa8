"""Figures that are read when somebody asks: states of engines and servers, and what rows say."""

from collections.abc import Iterable
from dataclasses import dataclass

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric


@dataclass(frozen=True, slots=True)
class Reading:
    """A figure: its name, its meaning, and its labels."""

    name: str
    meaning: str
    labels: tuple[str, ...] = ()

    def of(self, values: Iterable[tuple[tuple[str, ...], float]]) -> Metric:
        """Return it with a value for each of the labels' values."""
        family = GaugeMetricFamily(self.name, self.meaning, labels=self.labels)
        for labels, value in values:
            family.add_metric(labels, value)
        return family


LANES = Reading("toplu_lanes", "Requests that a worker's engine may run at a time.", ("model",))
LANES_BUSY = Reading("toplu_lanes_busy", "Requests that an engine runs.", ("model",))
ENGINE_STATE = Reading(
    "toplu_engine_state", "1 for the state in which a worker's engine is.", ("model", "state")
)
SERVER_LIMIT = Reading(
    "toplu_server_limit", "Requests that a server is asked at a time.", ("model", "server")
)
SERVER_REQUESTS = Reading(
    "toplu_server_requests", "Requests that a server is being asked.", ("model", "server")
)
SERVER_BREAKER_OPEN = Reading(
    "toplu_server_breaker_open",
    "1 where a server is left alone until a look finds it fit, else 0.",
    ("model", "server"),
)

WORKERS = Reading("toplu_workers", "Workers that live.")
REPLICAS = Reading("toplu_replicas", "Replicas of a model that are ready.", ("model",))
REPLICAS_WANTED = Reading(
    "toplu_replicas_wanted",
    "Replicas of a model that would have its batches done by their targets, within its bounds.",
    ("model",),
)
JOBS = Reading("toplu_jobs", "Unfinished jobs of batches.", ("model", "state"))
QUEUE_TOKENS = Reading(
    "toplu_queue_tokens",
    "Prompt tokens of requests of batches that have no outcome yet, an estimate.",
    ("project",),
)
JOBS_LATE = Reading("toplu_jobs_late", "Unfinished jobs whose target has passed.", ("model",))
SLACK = Reading(
    "toplu_slack_seconds",
    "Least time that remains to a target after all work due by it; negative: it will be missed.",
    ("model",),
)
TIME_TO_TARGET = Reading(
    "toplu_time_to_target_seconds",
    "Time to the first target of a model's unfinished jobs; negative: it has passed.",
    ("model",),
)
STORAGE = Reading("toplu_storage_bytes", "Bytes that are kept.", ("kind",))
DISK = Reading("toplu_disk_bytes", "The disk of the data folder.", ("kind",))

ALL = tuple(it for it in tuple(globals().values()) if isinstance(it, Reading))
