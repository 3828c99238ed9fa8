"""`toplu models test` asks each model and says what its servers can do."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from support.engines.misbehaving_server import MisbehavingServer, completion, refusing, reply
from support.model_tables import echo_model
from support.ports import free_port
from toplu.cli.model_findings import findings_of
from toplu.settings.model import ModelSettings
from toplu.settings.remote import ServerSettings
from toplu.settings.server import Settings

LOAD = """vllm:num_requests_running 1.0
vllm:num_requests_waiting 0.0
vllm:kv_cache_usage_perc 0.25
vllm:prefix_cache_hits_total %d
vllm:cache_config_info{kv_cache_size_tokens="4096",enable_prefix_caching="True"} 1.0
"""


async def found(server: MisbehavingServer, **model: Any) -> dict[str, str]:
    """Return what is found of a server, by name."""
    async with server.listening():
        asked = ModelSettings(
            name="m",
            engine=server.engine,
            servers=(ServerSettings(url=server.url),),
            **model,
        )
        return {each.what: each.found async for each in findings_of(asked, Settings())}


async def test_a_server_without_figures_is_searched_and_gets_no_marks() -> None:
    findings = await found(MisbehavingServer())
    assert findings["answers"].startswith("yes")
    assert findings["served model"] == "the-model"
    assert "searched for, from 16 on" in findings["seats"]
    assert findings["priority"] == findings["cache_salt"] == "no"
    assert findings["cached tokens"] == "none told"
    assert findings["tokens counted by"] == "an answer of one token"
    assert findings["schema held by"] == findings["calls made by"] == "nothing"


async def test_a_vllm_says_what_it_has_and_that_it_hides_cached_tokens() -> None:
    server = MisbehavingServer()
    server.load = lambda: LOAD % len(server.bodies)
    findings = await found(server)
    assert findings["software"] == "vllm"
    assert findings["seats"] == "by its load, up to 256: 1 run, 0 wait"
    assert findings["memory"] == "4096 tokens, 25% used"
    assert findings["prefixes"] == "kept"
    assert findings["priority"].startswith("taken")
    assert findings["cache_salt"] == "by project"
    assert "--enable-prompt-tokens-details" in findings["cached tokens"]


async def test_what_is_refused_and_what_is_told_is_found_out() -> None:
    async def answer(server: Any, request: Any, body: Any) -> Any:
        if "priority" in body:
            return await refusing(400, "priority scheduling is off")(server, request, body)
        told = completion(json.dumps({"colour": "red"}) if "response_format" in body else "red")
        told["usage"]["prompt_tokens_details"] = {"cached_tokens": 2}
        return reply(told, body)

    server = MisbehavingServer(lambda *_: answer)
    server.load = lambda: LOAD % 0
    findings = await found(server)
    assert findings["priority"] == "no"
    assert findings["cached tokens"] == "told"
    assert findings["schema held by"] == "own, relaxed"


async def test_a_server_that_fails_is_a_finding() -> None:
    findings = await found(MisbehavingServer(lambda *_: refusing(401, "unknown key")))
    assert "answers" not in findings
    assert "unknown key" in findings["fault"]


def run(tmp_path: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    away = f"""
[[models]]
name = "away"
engine = "openai_server"
servers = [{{ url = "http://127.0.0.1:{free_port()}/v1" }}]
"""
    file = tmp_path / "toplu.toml"
    file.write_text(echo_model(lanes=3) + away)
    command = [sys.executable, "-m", "toplu.cli.app", "models", "test", *arguments]
    return subprocess.run(
        [*command, "--config", str(file)], capture_output=True, text=True, check=False
    )


def test_a_model_of_this_machine_is_started_and_asked(tmp_path: Path) -> None:
    ran = run(tmp_path, "echo")
    assert ran.returncode == 0, ran.stderr
    assert "yes, in" in ran.stdout
    assert "3 lanes" in ran.stdout
    assert "away" not in ran.stdout


def test_a_model_that_does_not_answer_is_exit_status_1_beside_one_that_does(tmp_path: Path) -> None:
    ran = run(tmp_path)
    assert ran.returncode == 1, ran.stderr
    assert "yes, in" in ran.stdout
    assert "cannot be reached" in ran.stdout
