"""A real Prometheus reads a real server, and judges it by the rules that we give away."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest

from support.jobs import create_job, question
from support.model_tables import echo_model
from support.ports import free_port
from support.running_program import running_program
from support.server import started_server
from support.waiting import PATIENCE_SECONDS, eventually

pytestmark = pytest.mark.system

DEPLOY = Path(__file__).parents[2] / "deploy"
RULES = DEPLOY / "prometheus" / "alerts.yml"
CASES = DEPLOY / "prometheus" / "alert_cases.yml"
BOARD = DEPLOY / "grafana" / "toplu.json"
CONFIGURATION = """
global: {{ scrape_interval: 1s, evaluation_interval: 1s }}
rule_files: ["{rules}"]
scrape_configs:
  - job_name: toplu
    static_configs: [{{ targets: ["127.0.0.1:{port}"] }}]
"""


class Prometheus:
    """One that runs, and its API."""

    def __init__(self, url: str) -> None:
        self._url = url

    def ask(self, path: str, **query: str) -> Any:
        with urlopen(f"{self._url}/api/v1/{path}?{urlencode(query)}") as reply:
            return json.load(reply)["data"]

    def value(self, expression: str) -> float | None:
        """Return the one value of the expression, if it has any."""
        found = self.ask("query", query=expression)["result"]
        return float(found[0]["value"][1]) if found else None

    def firing(self) -> dict[str, dict[str, str]]:
        alerts = self.ask("alerts")["alerts"]
        return {it["labels"]["alertname"]: it["labels"] for it in alerts if it["state"] == "firing"}


@contextmanager
def prometheus(folder: Path, metrics_port: int) -> Iterator[Prometheus]:
    """Run one that reads the figures of a server."""
    configuration = folder / "prometheus.yml"
    configuration.write_text(CONFIGURATION.format(rules=RULES, port=metrics_port))
    promtool("check", "config", str(configuration))
    address = f"127.0.0.1:{free_port()}"
    command = [
        "prometheus",
        f"--config.file={configuration}",
        f"--storage.tsdb.path={folder / 'series'}",
        f"--web.listen-address={address}",
    ]
    with running_program(
        command,
        health_url=f"http://{address}/-/ready",
        log=folder / "prometheus.log",
        environment={},
    ):
        yield Prometheus(f"http://{address}")


def promtool(*arguments: str, given: bytes = b"") -> str:
    done = subprocess.run(
        ["promtool", *arguments],
        input=given,
        capture_output=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )
    printed = (done.stdout + done.stderr).decode()
    assert done.returncode == 0, printed
    return printed


def test_the_rules_are_well_formed_and_fire_on_what_they_are_for() -> None:
    assert "9 rules found" in promtool("check", "rules", str(RULES))
    promtool("test", "rules", str(CASES))


def test_what_a_server_shows_is_read_and_a_rule_fires(tmp_path: Path) -> None:
    port = free_port()
    with (
        started_server(
            tmp_path,
            config=echo_model(delay_seconds=3600),
            metrics_port=port,
            job_target_seconds=1,
        ) as server,
        prometheus(tmp_path, port) as monitor,
    ):
        eventually(lambda: monitor.value('up{job="toplu"}') == 1)
        assert "TopluJobsLate" not in monitor.firing()
        create_job(server, [question(number) for number in range(10)])
        labels = eventually(lambda: monitor.firing().get("TopluJobsLate"))
        assert labels["model"] == "echo"
        assert labels["severity"] == "warning"
        busy = 'sum(toplu_lanes_busy{process="worker-1"})'
        assert eventually(lambda: monitor.value(busy)) == 4
        with urlopen(f"http://127.0.0.1:{port}/metrics") as reply:
            assert promtool("check", "metrics", given=reply.read()) == ""
        health = monitor.ask("targets")["activeTargets"][0]
        assert (health["health"], health["lastError"]) == ("up", "")


def test_every_expression_of_the_board_is_one_to_prometheus(tmp_path: Path) -> None:
    port = free_port()
    board = json.loads(BOARD.read_text(encoding="utf-8"))
    expressions = [
        target["expr"] for panel in board["panels"] for target in panel.get("targets", ())
    ]
    assert len(expressions) > 20
    with prometheus(tmp_path, port) as monitor:
        for expression in expressions:
            filled = expression.replace("$__rate_interval", "5m")
            filled = filled.replace("$job", ".*").replace("$instance", ".*")
            assert monitor.ask("query", query=filled)["resultType"] == "vector"
