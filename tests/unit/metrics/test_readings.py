"""The names of all figures, measured and read."""

import re

from toplu.metrics import readings
from toplu.metrics.measured import REGISTRY

UNBOUNDED = {"job", "batch", "key", "file", "request", "trace"}


def test_each_name_is_one_figure_and_says_whose_it_is() -> None:
    measured = [family.name for family in REGISTRY.collect() if family.name.startswith("toplu")]
    names = measured + [reading.name for reading in readings.ALL]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"toplu(_[a-z]+)+", name) for name in names)


def test_no_label_is_without_a_bound() -> None:
    labels = {label for reading in readings.ALL for label in reading.labels}
    labels |= {
        label
        for collector in REGISTRY._collector_to_names
        for label in getattr(collector, "_labelnames", ())
    }
    assert labels
    assert not labels & UNBOUNDED
