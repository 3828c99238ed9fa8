"""The alert rules and the board name figures that the code has, with labels that these have."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import Counter, Histogram

from toplu.metrics import measured, readings

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy" / "prometheus" / "alerts.yml"
BOARD = ROOT / "deploy" / "grafana" / "toplu.json"

OF_SCRAPES = {"job", "instance", "process"}  # Prometheus's own, and the one that each sample has
OF_PROCESSES = {"process_cpu_seconds_total", "process_resident_memory_bytes"}
SELECTED = re.compile(r"\b((?:toplu|process)_\w+|up)\b(?:\{([^}]*)\})?")
MATCHER = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")
GROUPED = re.compile(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)")
SHOWN = re.compile(r"\$labels\.(\w+)|\{\{\s*(\w+)\s*\}\}")
OF_BUCKETS = {"le"}


def known() -> dict[str, set[str]]:
    """Return the labels of each series that a server may have, by its name."""
    names = {reading.name: set(reading.labels) for reading in readings.ALL}
    for it in vars(measured).values():
        if isinstance(it, Counter):
            names[f"{it._name}_total"] = set(it._labelnames)
        elif isinstance(it, Histogram):
            for suffix, more in (("bucket", OF_BUCKETS), ("sum", set()), ("count", set())):
                names[f"{it._name}_{suffix}"] = {*it._labelnames, *more}
    return names | {name: set() for name in OF_PROCESSES} | {"up": set()}


def rules() -> Iterator[dict[str, Any]]:
    for group in yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]:
        yield from group["rules"]


def panels() -> Iterator[dict[str, Any]]:
    yield from json.loads(BOARD.read_text(encoding="utf-8"))["panels"]


def expressions() -> Iterator[tuple[str, str, str]]:
    """Yield where each expression stands, it, and the texts that name labels of what it gives."""
    for rule in rules():
        yield rule["alert"], rule["expr"], " ".join(rule["annotations"].values())
    for panel in panels():
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"], target.get("legendFormat", "")


def faults_of(expression: str, shown: str) -> list[str]:
    names, found, labels = known(), [], set(OF_SCRAPES)
    for name, matchers in SELECTED.findall(expression):
        if name not in names:
            found.append(f"there is no {name}")
            continue
        labels |= names[name]
        wrong = set(MATCHER.findall(matchers)) - names[name] - OF_SCRAPES
        found += [f"{name} has no {label}" for label in sorted(wrong)]
    grouped = {label.strip() for it in GROUPED.findall(expression) for label in it.split(",")}
    told = {first or second for first, second in SHOWN.findall(shown)}
    found += [f"nothing there has {label}" for label in sorted((grouped | told) - labels)]
    return found


def test_every_expression_names_what_there_is() -> None:
    faults = {
        f"{place}: {fault}"
        for place, expression, shown in expressions()
        for fault in faults_of(expression, shown)
    }
    assert faults == set()


@pytest.mark.parametrize(
    ("expression", "shown", "fault"),
    [
        ("sum(toplu_nothing_total)", "", "there is no toplu_nothing_total"),
        ('toplu_lanes{job_id="x"}', "", "toplu_lanes has no job_id"),
        ("sum by (project) (toplu_lanes)", "", "nothing there has project"),
        ("toplu_lanes", "of {{ $labels.project }}", "nothing there has project"),
        ("toplu_lanes", "{{project}}", "nothing there has project"),
        ("rate(toplu_commit_seconds_total[5m])", "", "there is no toplu_commit_seconds_total"),
    ],
)
def test_a_name_that_is_none_is_found(expression: str, shown: str, fault: str) -> None:
    assert faults_of(expression, shown) == [fault]


def test_each_expression_asks_something_and_each_rule_says_what_to_do() -> None:
    assert all(SELECTED.search(expression) for _, expression, _ in expressions())
    assert all({"summary", "action"} <= rule["annotations"].keys() for rule in rules())


def test_every_figure_of_ours_is_on_the_board_or_in_a_rule() -> None:
    used = {name for _, expression, _ in expressions() for name, _ in SELECTED.findall(expression)}
    unused = {
        name
        for name in known()
        if name not in used and not name.endswith(("_sum", "_count", "_bucket"))
    }
    assert unused == set()
