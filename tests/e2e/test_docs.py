"""Every block of code in the docs does what it says, on a real server and a real model.

A block that cannot be run here has a comment before it, `<!-- not run: why -->`; few have.
"""

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.jobs import create_job, question, results_of
from support.model_tables import echo_model, quick_embedder, quick_model
from support.server import TOPLU, Server, clean_environment, started_server
from support.waiting import PATIENCE_SECONDS
from toplu.models.sources import locate
from toplu.settings.load import load
from toplu.settings.model import DEFAULT_MODEL
from toplu.settings.server import Settings

ROOT = Path(__file__).parents[2]
PAGES = [
    *(ROOT / name for name in ("README.md", "SECURITY.md", "CONTRIBUTING.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
BLOCK = re.compile(r"(?ms)(?:^<!-- not run: (.+?) -->\n)?^```(\w+)\n(.*?)^```$")
PORT = "127.0.0.1:8765"
NOT_RUN_MAX = 8
PATIENCE_OF_LINES = 4 * PATIENCE_SECONDS
# What blocks take for granted: files beside them, and names that people put in.
LINE = {
    "contents": [{"parts": [{"text": "Say hello."}]}],
    "generationConfig": {"maxOutputTokens": 4},
}
CHAT = {"model": "gemini-2.5-flash", "messages": [{"role": "user", "content": "Hi"}]}
FILES = {
    "reviews.csv": "title,text\nKettle,Boils fast.\nToaster,Burns.\n",
    "kind.json": '{"type": "object", "properties": {"kind": {"type": "boolean"}}}',
    "requests.jsonl": json.dumps({"key": "a", "request": LINE}) + "\n",
    "lines.jsonl": json.dumps(
        {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": CHAT}
    )
    + "\n",
    "handbook/page.md": "# Harbour\nThe harbour has a keeper.\n",
}


@dataclass(frozen=True)
class Block:
    """A block of code on a page."""

    page: str
    line: int
    language: str
    text: str
    not_run: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks() -> Iterator[Block]:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for found in BLOCK.finditer(text):
            why, language, code = found.groups()
            line = text.count("\n", 0, found.start()) + 1
            yield Block(str(page.relative_to(ROOT)), line, language, code, why or "")


def of(language: str) -> list[Block]:
    return [it for it in blocks() if it.language == language and not it.not_run]


def test_every_language_of_a_block_is_one_that_is_tested_and_few_are_not_run() -> None:
    found = list(blocks())
    assert {it.language for it in found if not it.not_run} <= {"sh", "python", "toml"}
    left_out = [it for it in found if it.not_run]
    assert len(left_out) <= NOT_RUN_MAX, [str(it) for it in left_out]


@pytest.mark.parametrize("block", of("toml"), ids=str)
def test_settings_are_ones_that_are_taken(block: Block, tmp_path: Path) -> None:
    path = tmp_path / "toplu.toml"
    path.write_text(block.text, encoding="utf-8")
    tomllib.loads(block.text)
    load(path, environment={})


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("docs")
    tables = f"{quick_model(16)}\n{quick_embedder()}"
    with started_server(folder, config=tables) as running:
        yield running


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of another server, for blocks that make keys: the first one would shut all out."""
    with started_server(tmp_path_factory.mktemp("operated"), config=echo_model()) as other:
        results_of(other, create_job(other, [question(0)]))
        return other.data_dir


@pytest.fixture
def beside(tmp_path: Path) -> Path:
    """A folder with what blocks take for granted."""
    for name, content in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return tmp_path


def run(command: list[str], server: Server, folder: Path, data: Path) -> str:
    settings = {"url": server.url, "key": "any", "data_dir": str(data), "port": "0"}
    environment = clean_environment(settings)
    environment |= {"PATH": f"{TOPLU.parent}{os.pathsep}{environment['PATH']}", "HOME": str(folder)}
    environment["TOPLU_MODEL_DIR"] = str(Settings().model_dir)
    ended = subprocess.run(
        command,
        capture_output=True,
        check=False,
        cwd=folder,
        env=environment,
        text=True,
        timeout=PATIENCE_OF_LINES,
    )
    assert ended.returncode == 0, (command[-1], ended.stdout, ended.stderr)
    return ended.stdout


@pytest.mark.model
@pytest.mark.slow
@pytest.mark.system
@pytest.mark.parametrize("block", of("python"), ids=str)
def test_python_runs(block: Block, server: Server, beside: Path, data: Path) -> None:
    text = block.text.replace(PORT, f"127.0.0.1:{server.port}")
    run([sys.executable, "-W", "ignore", "-c", text], server, beside, data)


@pytest.mark.model
@pytest.mark.slow
@pytest.mark.system
@pytest.mark.parametrize("block", of("sh"), ids=str)
def test_shell_runs(block: Block, server: Server, beside: Path, data: Path) -> None:
    if "models/" in block.text:
        (beside / "models").mkdir()
        weights = locate(DEFAULT_MODEL, Settings().model_dir)
        assert weights is not None, "`make model` has fetched it"
        (beside / "models" / "Qwen3-8B-Q4_K_M.gguf").symlink_to(weights)
    text = block.text.replace(PORT, f"127.0.0.1:{server.port}")
    run(["bash", "-e", "-u", "-o", "pipefail", "-c", text], server, beside, data)


@pytest.mark.system
def test_the_site_is_built_strictly() -> None:
    ended = subprocess.run(
        ["make", "docs"],
        capture_output=True,
        check=False,
        cwd=ROOT,
        env=clean_environment() | {"NO_MKDOCS_2_WARNING": "1"},
        text=True,
        timeout=PATIENCE_SECONDS,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    site = ROOT / ".docs" / "site"
    settings = (site / "reference" / "settings.html").read_text(encoding="utf-8")
    missing = [
        name for name in Settings.__struct_fields__ if f"<code>{name}</code>" not in settings
    ]
    assert missing == []
    for page in site.rglob("*.html"):
        loaded = re.findall(r'(?:src|href)="(https?://[^"]+\.(?:js|css|woff2?))"', page.read_text())
        assert loaded == [], "a page of the site loads nothing from elsewhere"
