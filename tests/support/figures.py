"""Reading what `/metrics` says, by Prometheus's own parser."""

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample


def samples(text: bytes, name: str, **labels: str) -> list[Sample]:
    """Return the samples of that name that have these labels."""
    return [
        sample
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    ]


def figure(text: bytes, name: str, **labels: str) -> float:
    """Return the sum of such samples."""
    return sum(sample.value for sample in samples(text, name, **labels))
