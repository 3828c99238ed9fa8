"""The text that monitors read, of one process and of several together."""

from collections.abc import Iterable, Iterator, Sequence

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics_core import Metric

from toplu.metrics.measured import REGISTRY

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
HELP = b"# HELP "


def expose(process: str, readings: Iterable[Metric]) -> bytes:
    """Return what this process measured and the readings, each with the name of the process."""
    text = generate_latest(_Everything(readings))
    label = b'process="%s"' % process.encode()
    return b"".join(
        line if line.startswith(b"#") else _labelled(line, label)
        for line in text.splitlines(keepends=True)
    )


def merge(texts: Sequence[bytes]) -> bytes:
    """Return the texts of several processes as one, in which each figure stands once."""
    figures: dict[bytes, list[bytes]] = {}
    for text in texts:
        for head, samples in _figures_of(text):
            figures.setdefault(head, []).append(samples)
    return b"".join(head + b"".join(samples) for head, samples in figures.items())


class _Everything:
    """A registry of this one moment."""

    def __init__(self, readings: Iterable[Metric]) -> None:
        self._readings = readings

    def collect(self) -> Iterator[Metric]:
        yield from REGISTRY.collect()
        yield from self._readings


def _labelled(line: bytes, label: bytes) -> bytes:
    """Return the line of a sample with one more label; a name has neither brace nor blank."""
    name, blank, value = line.partition(b" ")
    if b"{" not in name:
        return name + b"{" + label + b"}" + blank + value
    return line.replace(b"{", b"{" + label + b",", 1)


def _figures_of(text: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the head of each figure, its help and type, and the lines of its samples."""
    for block in text.split(b"\n" + HELP):
        meaning, _, rest = block.removeprefix(HELP).partition(b"\n")
        kind, _, samples = rest.partition(b"\n")
        if samples := samples.rstrip(b"\n"):
            yield HELP + meaning + b"\n" + kind + b"\n", samples + b"\n"
