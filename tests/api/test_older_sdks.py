"""Older versions of Google's SDKs, each with its own packages: the whole life of its batches."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from support.api.local_server import ECHO, LocalServer
from support.server import clean_environment
from support.tools.pages_under_test import fill_index
from support.waiting import PATIENCE_SECONDS
from toplu.settings.server import EchoSettings, ModelSettings, Settings

HERE = Path(__file__).parent / "older_sdks"
ROOT = Path(__file__).parents[2]
SDKS = ROOT / ".sdks"
NODE_MODULES = ROOT / "tests" / "specification" / "node_modules"

LOCK = (HERE / "versions.lock").read_text("utf-8")
PYTHON = re.findall(r"^google-genai==(\S+)", LOCK, re.MULTILINE)
JAVASCRIPT = ["1.16.0", "1.40.0"]
EMBEDDER = ModelSettings(
    name="echo-embedder", aliases=("gemini-embedding-001",), engine="echo_embedder"
)
SLOW = ModelSettings(
    name="slow", aliases=("gemini-slow",), engine="echo", echo=EchoSettings(delay_seconds=600)
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    data_dir = tmp_path_factory.mktemp("server") / "data"
    fill_index(data_dir)
    settings = Settings(
        data_dir=data_dir,
        models=(SLOW, replace(ECHO, aliases=("gemini-2.5-flash",)), EMBEDDER),
        drain_seconds=0.1,
    )
    with LocalServer(settings) as running:
        yield running


def report_of(command: list[str], folder: Path, **environment: str) -> dict[str, Any]:
    """Return what a program says that it saw."""
    finished = subprocess.run(
        command,
        check=False,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        cwd=folder,
        env=clean_environment() | {"NO_PROXY": "127.0.0.1"} | environment,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return json.loads(finished.stdout)


def check_life(
    report: dict[str, Any],
    version: str,
    *,
    embeds: bool,
    reads_metadata: bool,
    reads_errors: bool = True,
) -> None:
    assert report["version"] == version
    assert report["answer"] == "one two"
    check_inline(report["inline"], reads_metadata=reads_metadata, reads_errors=reads_errors)
    file = report["file"]
    assert file["state"] == "JOB_STATE_SUCCEEDED"
    assert (file["was_listed"], file["is_listed"]) == (True, False)
    assert file["line"]["key"] == "a"
    (candidate,) = file["line"]["response"]["candidates"]
    assert candidate["groundingMetadata"]["webSearchQueries"] == ["one two"]
    assert file["line"]["response"]["usageMetadata"]["promptTokenCount"] == 4
    assert report["embeddings"] == ([5, 5] if embeds else None)
    assert report["cancelled"] == {
        "state": "JOB_STATE_CANCELLED",
        "listed": [True, False],
    }


def check_inline(inline: dict[str, Any], *, reads_metadata: bool, reads_errors: bool) -> None:
    assert inline["created"] == "JOB_STATE_PENDING"
    assert inline["state"] == "JOB_STATE_SUCCEEDED"
    assert inline["display_name"] == "inline"
    configured, searched, failed = inline["results"]
    # Four words of the user and two of the system; the limit cuts the answer.
    assert configured == {
        "text": "one two three",
        "finish": "MAX_TOKENS",
        "prompt_tokens": 6,
        "queries": None,
    }
    assert searched["queries"] == ["who won the euro?"]
    assert searched["prompt_tokens"] == 6
    assert failed is None
    assert inline["errors"][:2] == [None, None]
    assert ("fails on this request" in (inline["errors"][2] or "")) is reads_errors
    assert inline["metadata"] == ([{"key": "first"}, None, None] if reads_metadata else None)


@pytest.mark.older_sdks
@pytest.mark.parametrize("version", PYTHON)
def test_a_python_version_leads_batches_through_their_lives(
    server: LocalServer, version: str, tmp_path: Path
) -> None:
    packages = os.pathsep.join(str(SDKS / part) for part in (version, "dependencies"))
    # Without site-packages: none of the packages that ours need.
    command = [sys.executable, "-S", str(HERE / "batch_life.py"), server.url, version]
    report = report_of(command, tmp_path, PYTHONPATH=packages)
    check_life(
        report,
        version,
        embeds=version != "1.24.0",
        # It is sent by 1.47 and 1.60, which have no field for it in a result.
        reads_metadata=version not in {"1.24.0", "1.47.0", "1.60.0"},
        # Whatever an error says, it reads an error without code and message.
        reads_errors=version != "1.24.0",
    )


@pytest.mark.older_sdks
@pytest.mark.parametrize("version", JAVASCRIPT)
def test_a_javascript_version_leads_batches_through_their_lives(
    server: LocalServer, version: str, tmp_path: Path
) -> None:
    node = shutil.which("node")
    assert node is not None, "node is missing; on Debian: apt-get install nodejs"
    script = shutil.copy(HERE / "batch_life.mjs", tmp_path)
    (tmp_path / "node_modules").symlink_to(NODE_MODULES)
    report = report_of([node, str(script), server.url, version], tmp_path)
    check_life(report, version, embeds=version != "1.16.0", reads_metadata=version != "1.16.0")
