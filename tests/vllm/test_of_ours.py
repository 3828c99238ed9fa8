"""A real vLLM that toplu runs itself: its options are taken, it answers, and it ends as a whole."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.api.batch_calls import asking, create_inline, finish
from support.api.local_server import LocalServer, http_of
from support.engines.running_vllm import CONTEXT_TOKENS, ENVIRONMENT, HOME, OPTIONS
from support.processes import children_of, command_of
from support.waiting import eventually
from toplu.settings.remote import RemoteSettings, VllmSettings
from toplu.settings.server import ModelSettings, Settings

pytestmark = pytest.mark.vllm

OURS = {"--served-model-name", "--host", "--max-model-len"}


def further_options() -> tuple[str, ...]:
    """Return what a vLLM on CPUs needs, less what toplu says by itself."""
    left, kept = list(OPTIONS), []
    while left:
        option = left.pop(0)
        values = [left.pop(0)] if left and not left[0].startswith("--") else []
        if option not in OURS:
            kept += [option, *values]
    return tuple(kept)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalServer]:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    model = ModelSettings(
        name="smol",
        aliases=("gemini-*",),
        engine="vllm",
        source=f"path:{HOME / 'model'}",
        context_tokens=CONTEXT_TOKENS,
        output_tokens_max=32,
        remote=RemoteSettings(patience_seconds=600.0),
        vllm=VllmSettings(command=str(HOME / "bin" / "vllm"), args=further_options()),
    )
    settings = Settings(data_dir=tmp_path / "data", models=(model,), drain_seconds=0.1)
    with LocalServer(settings) as running:
        yield running


def all_below(pid: int) -> list[int]:
    return [it for child in children_of(pid) for it in (child, *all_below(child))]


def the_vllm() -> tuple[int, list[int]]:
    """Return the process that is `vllm serve`, and all that it started."""

    def look() -> int | None:
        found = [it for it in all_below(os.getpid()) if "serve" in command_of(it)]
        return found[0] if found else None

    pid = eventually(look)
    return pid, all_below(pid)


def test_a_killed_one_is_replaced_and_costs_no_line_its_answer(server: LocalServer) -> None:
    with http_of(server) as http:
        lines = [{"request": asking(f"Say the number {it}.")} for it in range(6)]
        first = finish(http, create_inline(http, lines)["name"])
        assert len(answers_of(first)) == 6
        pid, below = the_vllm()
        assert below, "its engine is a process of its own"
        name = create_inline(http, lines)["name"]
        os.kill(pid, signal.SIGKILL)
        assert len(answers_of(finish(http, name))) == 6
        replaced, others = the_vllm()
        assert replaced != pid
        eventually(lambda: not any(command_of(it) for it in (pid, *below)))
        # Whoever runs it is killed: nothing of it goes on alone.
        parent = int(Path(f"/proc/{replaced}/stat").read_text().rpartition(")")[2].split()[1])
        os.kill(parent, signal.SIGKILL)
        eventually(lambda: not any(command_of(it) for it in (replaced, *others)))


def answers_of(batch: dict[str, Any]) -> list[str]:
    responses = batch["response"]["inlinedResponses"]["inlinedResponses"]
    return [it["response"]["candidates"][0]["content"]["parts"][0]["text"] for it in responses]
