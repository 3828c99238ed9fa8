"""`toplu check`: what a file would be, before anything is asked."""

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from support.model_tables import echo_model, quick_model
from support.run_command import config_of, table_of
from support.server import TOPLU, Server, clean_environment, started_server
from support.waiting import PATIENCE_SECONDS, eventually
from toplu.settings.model import DEFAULT_MODEL

pytestmark = pytest.mark.system

PRICED = {"price": {"input": "2", "cached_input": "1", "output": "8"}}


def checked(
    source: Path, *words: str, code: int = 0, key: str = "any"
) -> "subprocess.CompletedProcess[str]":
    ended = subprocess.run(
        [str(TOPLU), "check", str(source), *words],
        env=clean_environment() | {"TOPLU_KEY": key},
        capture_output=True,
        check=False,
        text=True,
        timeout=PATIENCE_SECONDS,
    )
    assert ended.returncode == code, (ended.stdout, ended.stderr)
    return ended


def found(source: Path, *words: str, code: int = 0) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(checked(source, *words, "--json", code=code).stdout)
    return document


def lines_in(folder: Path, lines: list[Any]) -> Path:
    path = folder / "in.jsonl"
    path.write_text("".join((it if isinstance(it, str) else json.dumps(it)) + "\n" for it in lines))
    return path


def asking(text: str, **more: Any) -> dict[str, Any]:
    return {"contents": [{"parts": [{"text": text}]}]} | more


def test_a_table_is_described_and_nothing_is_left(tmp_path: Path) -> None:
    config = config_of(tmp_path, echo_model())
    source = table_of(tmp_path, 50)
    ended = checked(source, "--prompt", "Say {text}", *config)
    told = ended.stdout.splitlines()
    assert told[0] == f"{source}: 50 requests to echo"
    assert "  prompt tokens   250 (all counted)" in told
    assert "  time            not known" in told
    assert "No answer of the model echo was seen yet" in ended.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"in.csv", "models.toml"}


def test_faulty_lines_are_named_and_are_the_exit_status(tmp_path: Path) -> None:
    config = config_of(tmp_path, echo_model())
    lines = [
        {"key": "good", "request": asking("one two")},
        {"key": "wrong", "request": {"contents": []}},
        "no JSON",
        {"key": "long", "request": asking("word " * 5000)},
    ]
    source = lines_in(tmp_path, lines)
    told = found(source, *config, code=1)
    assert [line["lineNumber"] for line in told["faultyLines"]] == [2, 3, 4]
    shown = checked(source, *config, code=1).stdout
    assert "contents is not specified" in shown
    assert "exceeds the maximum number of tokens" in shown


def test_some_rows_are_measured_first_if_one_asks_for_it(tmp_path: Path) -> None:
    config = config_of(tmp_path, echo_model())
    source = table_of(tmp_path, 100)
    told = found(source, "--prompt", "Say {text}", "--measure", "60s", *config)
    assert "No answer" not in " ".join(told.get("warnings", []))
    lowest, highest = (int(told["outputTokens"][name]) for name in ("lowest", "highest"))
    assert lowest < 500 < highest < 1024 * 100


def test_lines_of_openais_batch_api_are_described_as_well(tmp_path: Path) -> None:
    config = config_of(tmp_path, echo_model())
    lines = [
        {
            "custom_id": f"line-{number}",
            "method": "POST",
            "url": "/v1/chat/completions",
            "body": {
                "model": "gemini-2.5-flash",
                "messages": [{"role": "user", "content": f"say {number}"}],
            },
        }
        for number in range(5)
    ]
    assert found(lines_in(tmp_path, lines), *config)["requestCount"] == "5"


def test_a_running_server_says_the_same_and_keeps_nothing(tmp_path: Path) -> None:
    source = lines_in(tmp_path, [asking(f"say {number}") for number in range(20)])
    config = config_of(tmp_path, echo_model())
    alone = found(source, *config)
    with started_server(tmp_path, config=echo_model()) as server:
        asked = found(source, "--server", server.url, "--model", "gemini-2.5-flash")
        assert files_and_batches(server) == (0, 0)
    for name in ("requestCount", "promptTokens", "outputTokens", "sharedPrefixes"):
        assert asked[name] == alone[name]


def files_and_batches(server: Server) -> tuple[int, int]:
    files = server.call("GET", "/v1beta/files").json().get("files", [])
    batches = server.call("GET", "/v1beta/batches").json().get("operations", [])
    return len(files), len(batches)


@pytest.mark.parametrize(
    ("words", "code", "reason"),
    [
        (("--model", "unheard-of"), 2, "there is no model `unheard-of`"),
        (("--measure", "soon"), 2, "time limit `soon`"),
        (("--server", "http://127.0.0.1:9", "--model", "m"), 3, "does not answer"),
        (("--schema", "x", "--embed", "text"), 2, "x"),
    ],
)
def test_what_is_wrong_is_one_line(
    tmp_path: Path, words: tuple[str, ...], code: int, reason: str
) -> None:
    source = lines_in(tmp_path, [asking("x")])
    ended = checked(source, *words, code=code)
    assert reason in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_a_signal_ends_it_and_nothing_is_left(tmp_path: Path) -> None:
    # Its rows would be measured for an hour.
    config = config_of(tmp_path, echo_model(delay_seconds=3600))
    source = table_of(tmp_path, 50)
    temporary = tmp_path / ("as a cluster names it " * 5)  # longer than the path of a socket
    temporary.mkdir()
    process = subprocess.Popen(
        [TOPLU, "check", source, "--prompt", "Say {text}", "--measure", "2h", *config],
        env=clean_environment({"drain_seconds": "0.1", "log_level": "debug"})
        | {"TMPDIR": str(temporary)},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        eventually(lambda: "request_started" in log_of(temporary) or process.poll() is not None)
        process.send_signal(signal.SIGINT)
        told = process.communicate(timeout=PATIENCE_SECONDS)[1]
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130, told
    assert not list(temporary.iterdir())


def log_of(folder: Path) -> str:
    return "".join(path.read_text() for path in folder.glob("toplu-check-*/log"))


@pytest.mark.slow
def test_a_model_s_server_that_is_away_is_said_to_be(tmp_path: Path) -> None:
    source = lines_in(tmp_path, [asking("x")])
    ended = checked(source, "--model", "http://127.0.0.1:9/v1", code=3)
    assert "is not reached" in ended.stderr


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert "there is no such file" in checked(tmp_path / "none.csv", code=2).stderr


@pytest.mark.model
@pytest.mark.slow
def test_the_real_model_reads_as_many_tokens_as_were_foreseen(tmp_path: Path) -> None:
    """Tokens are exact, and the price of the prompts is right within a hundredth."""
    rule = "Rule {} of the house is to be kept by everybody."
    shared = " ".join(map(rule.format, range(30)))
    lines = [
        {
            "key": str(number),
            "request": asking(f"{shared}\nWhat is rule {number}?")
            | {"generationConfig": {"maxOutputTokens": 8, "temperature": 0}},
        }
        for number in range(60)
    ]
    table = quick_model(8, lanes=1, **PRICED)
    with started_server(tmp_path, config=table) as server:
        (tmp_path / "check").mkdir()
        source = lines_in(tmp_path / "check", lines)
        model = ("--server", server.url, "--model", DEFAULT_MODEL.name)
        told = found(source, *model)
        body = {
            "batch": {
                "inputConfig": {
                    "requests": {"requests": [{"request": line["request"]} for line in lines]}
                }
            }
        }
        reply = server.call(
            "POST", f"/v1beta/models/{DEFAULT_MODEL.name}:batchGenerateContent", body
        )
        name = reply.json()["name"]
        server.wait_until(lambda: done(server, name)["done"], PATIENCE_SECONDS, "the end")
        extension = done(server, name)["metadata"]["toplu"]
    usage, cost = extension["usage"], extension["cost"]["amount"]
    assert told["promptTokens"]["tokenCount"] == usage["promptTokenCount"]
    written = int(usage["outputTokenCount"]) * 8 / 1e6 / 2
    prompts = float(told["expectedCost"]["prompts"]["amount"])
    assert prompts == pytest.approx(float(cost) - written, rel=0.01)
    assert float(told["expectedCost"]["lowest"]["amount"]) <= float(cost)
    assert float(told["expectedCost"]["highest"]["amount"]) >= float(cost)


def done(server: Server, name: str) -> dict[str, Any]:
    operation: dict[str, Any] = server.call("GET", f"/v1beta/{name}").json()
    return operation
