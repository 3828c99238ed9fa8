"""A worker runs the server of a model itself: started, watched, started again, ended with it."""

import os
import signal
import sys
from pathlib import Path

import pytest

from support.jobs import (
    check_every_request_has_one_outcome,
    create_job,
    greedy_question,
    operation_of,
    results_of,
    text_of,
    wait_for_answers,
)
from support.model_tables import model_table
from support.processes import children_of, command_of
from support.server import Server, started_server
from support.waiting import PATIENCE_SECONDS, eventually
from toplu.models.sources import locate
from toplu.settings.remote import RemoteSettings, VllmSettings
from toplu.settings.server import DEFAULT_MODEL, ModelSettings, Settings

pytestmark = [pytest.mark.model, pytest.mark.system]

TESTS = Path(__file__).parents[1]
PROGRAM = "support.engines.llama_cpp_as_vllm"
REQUESTS = 16
LONG = "Count from one to one thousand."


def program(folder: Path, *, words: str = f"-m {PROGRAM}") -> str:
    path = folder / "vllm"
    path.write_text(f'#!/bin/sh\nPYTHONPATH="{TESTS}" exec "{sys.executable}" {words} "$@"\n')
    path.chmod(0o755)
    return str(path)


def config(folder: Path, command: str, **vllm: object) -> str:
    """Return the table of a model whose file is in a folder of its own, as vLLM has them."""
    file = locate(DEFAULT_MODEL, Settings().model_dir)
    assert file is not None, "make model"
    repository = folder / "model"
    repository.mkdir()
    (repository / file.name).symlink_to(file)
    model = ModelSettings(
        name="own",
        aliases=("gemini-*",),
        engine="vllm",
        source=f"path:{repository}",
        context_tokens=512,
        output_tokens_max=32,
        remote=RemoteSettings(health_seconds=2.0, requests_first=2, always_stream=True),
        vllm=VllmSettings(command=command, **vllm),  # type: ignore[arg-type]
    )
    return model_table(model)


def programs_below(pid: int) -> list[int]:
    """Return the running servers of the model among all that a process started."""
    below = children_of(pid)
    found = [child for child in below if PROGRAM in command_of(child)]
    return found + [it for child in below for it in programs_below(child)]


def the_program(server: Server) -> int:
    (found,) = eventually(lambda: programs_below(server.pid))
    return found


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_a_batch_outlives_every_end_of_its_server(tmp_path: Path) -> None:
    settings = config(tmp_path, program(tmp_path))
    with started_server(tmp_path, config=settings, log_level="debug") as server:
        name = create_job(server, [greedy_question(it, LONG) for it in range(REQUESTS)])
        wait_for_answers(server, name, 2)
        killed = the_program(server)
        os.kill(killed, signal.SIGKILL)
        wait_for_answers(server, name, 5)
        assert operation_of(server, name)["done"] is False
        # Whoever runs it is killed: it must not go on alone.
        lonely = the_program(server)
        assert lonely != killed
        os.kill(parent_of(lonely), signal.SIGKILL)
        eventually(lambda: not command_of(lonely))
        wait_for_answers(server, name, 8)
        # It stands still: whoever looks after it ends it.
        silent = the_program(server)
        os.kill(silent, signal.SIGSTOP)
        eventually(lambda: not command_of(silent))
        results = results_of(server, name)
        check_every_request_has_one_outcome(results, REQUESTS)
        assert all(text_of(result).strip() for result in results)
        last = the_program(server)
        seen = " ".join(command_of(last)) + "".join(server.log_lines)
        key = next(
            line.partition("=")[2]
            for line in Path(f"/proc/{last}/environ").read_text().split("\0")
            if line.startswith("VLLM_API_KEY=")
        )
        assert key
        assert key not in seen
    eventually(lambda: not command_of(last))


def test_one_that_does_not_start_is_given_up_in_its_own_words(tmp_path: Path) -> None:
    settings = config(tmp_path, program(tmp_path), args=("--no-such-option",))
    with Server(tmp_path / "data", {"engine_start_attempts_max": "2"}, settings) as server:
        server.start(wait_until_ready=False)
        server.wait_for_event("engine_given_up", PATIENCE_SECONDS)

        def says_why() -> bool:
            ready = server.call("GET", "/readyz")
            return ready.status == 503 and "--no-such-option" in ready.body.decode()

        eventually(says_why)
