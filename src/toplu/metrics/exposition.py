"""The text that monitors read, of one process and of several together."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import Metric
from prometheus_client.utils import floatToGoString

from toplu.metrics.measured import REGISTRY

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
HELP = b"# HELP "


def expose(process: str, readings: Iterable[Metric]) -> bytes:
    """Return what this process measured and the readings, each with the name of the process.

    The format is that of https://prometheus.io/docs/instrumenting/exposition_formats. Where a
    thousand projects are, the library's own writer takes twice as long for it, and another pass to
    put the process in.
    """
    label = f'process="{_escaped(process)}"'
    return "".join(
        line for metric in chain(REGISTRY.collect(), readings) for line in _lines(metric, label)
    ).encode()


def merge(texts: Sequence[bytes]) -> bytes:
    """Return the texts of several processes as one, in which each figure stands once."""
    figures: dict[bytes, list[bytes]] = {}
    for text in texts:
        for head, samples in _figures_of(text):
            figures.setdefault(head, []).append(samples)
    return b"".join(head + b"".join(samples) for head, samples in figures.items())


def _lines(metric: Metric, label: str) -> Iterator[str]:
    """Yield the lines of a counter, gauge or histogram, whose samples get one more label."""
    name = f"{metric.name}_total" if metric.type == "counter" else metric.name
    meaning = metric.documentation.replace("\\", r"\\").replace("\n", r"\n")
    yield f"# HELP {name} {meaning}\n# TYPE {name} {metric.type}\n"
    for it in metric.samples:
        labels = "".join([f',{key}="{_escaped(value)}"' for key, value in it.labels.items()])
        value = floatToGoString(it.value)  # type: ignore[no-untyped-call]
        yield f"{it.name}{{{label}{labels}}} {value}\n"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _figures_of(text: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the head of each figure, its help and type, and the lines of its samples."""
    for block in text.split(b"\n" + HELP):
        meaning, _, rest = block.removeprefix(HELP).partition(b"\n")
        kind, _, samples = rest.partition(b"\n")
        if samples := samples.rstrip(b"\n"):
            yield HELP + meaning + b"\n" + kind + b"\n", samples + b"\n"
