"""`toplu run` that is killed, stopped, out of time or money, or without its server."""

import json
import signal
from pathlib import Path

import pytest

from support.chaos.repeats import check_repeats
from support.model_tables import echo_model, model_table
from support.ports import free_port
from support.run_command import RunCommand, check_rows, config_of, table_of
from support.server import started_server
from toplu.settings.model import ModelSettings

pytestmark = pytest.mark.system

QUESTION = "Say {text}"
DELAY_SECONDS = 0.1
LANES = 4
LIFE_BEGINS = json.dumps({"event": "process_started", "name": "run"})


def follow_through(
    command: RunCommand, rows: int, ends: list[tuple[int, signal.Signals, int]]
) -> int:
    """End the run at so many answers each time, then finish it; return how many ran again."""
    lives: list[str] = []
    seen = 0
    for answers, how, code in ends:
        told = command.end_after(answers, how, code)
        assert ("start the same command again" in told) == (how is not signal.SIGKILL)
        assert not command.output.exists()
        log = command.log
        lives += [LIFE_BEGINS, *log[seen:]]
        seen = len(log)
    (path,) = command.unfinished.glob("*/log")
    with path.open(encoding="utf-8") as log_file:  # which goes with the folder at the end
        command.finish()
        lives += [LIFE_BEGINS, *log_file.read().splitlines()[seen:]]
    check_rows(command, rows)
    assert not command.unfinished.exists()
    return check_repeats(lives)


def test_the_same_command_goes_on_after_a_kill_and_an_interrupt(tmp_path: Path) -> None:
    source = table_of(tmp_path, 200)
    config = config_of(tmp_path, echo_model(delay_seconds=DELAY_SECONDS, lanes=LANES))
    words = ("--prompt", QUESTION, *config)
    command = RunCommand(tmp_path, source, "out.jsonl", *words, log_level="debug")
    ends = [
        (20, signal.SIGKILL, -signal.SIGKILL),
        (60, signal.SIGINT, 130),
        (90, signal.SIGTERM, 130),
    ]
    follow_through(command, 200, ends)


def test_a_run_that_is_killed_ten_times_ends_whole(tmp_path: Path) -> None:
    source = table_of(tmp_path, 2000)
    config = config_of(tmp_path, echo_model(delay_seconds=DELAY_SECONDS / 4, lanes=LANES))
    words = ("--prompt", QUESTION, *config)
    command = RunCommand(tmp_path, source, "out.jsonl", *words, log_level="debug")
    ends = [(answers, signal.SIGKILL, -signal.SIGKILL) for answers in range(100, 1100, 100)]
    follow_through(command, 2000, ends)


def test_a_run_ends_in_order_before_its_time_is_over(tmp_path: Path) -> None:
    source = table_of(tmp_path, 100)
    config = config_of(tmp_path, echo_model(delay_seconds=DELAY_SECONDS, lanes=1))
    words = ("--prompt", QUESTION, *config)
    limited = RunCommand(tmp_path, source, "out.jsonl", *words, "--time-limit", "4s")
    assert "the time limit is near" in limited.finish(75)
    assert not limited.output.exists()
    assert limited.unfinished.exists()
    RunCommand(tmp_path, source, "out.jsonl", *words).finish()
    check_rows(limited, 100)


def test_a_running_server_is_asked_once_however_often_the_command_is_started(
    tmp_path: Path,
) -> None:
    source = table_of(tmp_path, 60)
    with started_server(
        tmp_path, config=echo_model(delay_seconds=DELAY_SECONDS, lanes=LANES)
    ) as server:
        words = ("--prompt", QUESTION, "--server", server.url, "--model", "echo")
        command = RunCommand(tmp_path, source, "out.jsonl", *words)
        command_with_key = RunCommand(tmp_path, source, "out.jsonl", *words, key="any-key")
        assert "no key" in command.finish(2)

        def batches() -> list[object]:
            listed = server.call("GET", "/v1beta/batches").json()
            return list(listed.get("operations", []))

        command_with_key.end_at(batches, signal.SIGKILL, -signal.SIGKILL)
        command_with_key.finish()
        check_rows(command_with_key, 60)
        assert len(batches()) == 1
        files = server.call("GET", "/v1beta/files").json()["files"]
        assert [file["name"].startswith("files/batch-") for file in files] == [True]


def test_a_server_that_is_not_there_is_said_to_be_so(tmp_path: Path) -> None:
    words = ("--prompt", QUESTION, "--server", f"http://127.0.0.1:{free_port()}", "--model", "m")
    command = RunCommand(tmp_path, table_of(tmp_path, 2), "out.jsonl", *words, key="any-key")
    assert "does not answer" in command.finish(3)


def test_the_server_of_a_model_is_asked_with_its_key_and_may_be_away(tmp_path: Path) -> None:
    source = table_of(tmp_path, 20)
    key_file = tmp_path / "key"
    key_file.write_text("any-key\n")
    with started_server(tmp_path, config=echo_model()) as server:
        url = f"{server.url}/openai/v1"
        words = ("--prompt", QUESTION, "--key-file", str(key_file), "--model")
        command = RunCommand(tmp_path, source, "out.jsonl", *words, f"{url}#echo")
        command.finish()
        check_rows(command, 20)
        server.stop()
        away = RunCommand(tmp_path, source, "away.jsonl", *words, f"{url}#echo")
        assert "the model's server is not reached" in away.finish(3)
        assert away.unfinished.exists()


def test_a_wrong_row_is_named_before_anything_is_asked(tmp_path: Path) -> None:
    source = table_of(tmp_path, 3000)
    with source.open("a", encoding="utf-8") as file:
        file.write("1,2,3\n")
    config = config_of(tmp_path, echo_model())
    command = RunCommand(
        tmp_path, source, "out.jsonl", "--prompt", QUESTION, *config, log_level="debug"
    )
    assert "line 6002: has 3 fields, and the header 2" in command.finish(2)
    assert not command.unfinished.exists()
    assert not command.output.exists()


def test_a_cost_that_is_reached_ends_the_batch_and_leaves_all_rows(tmp_path: Path) -> None:
    source = table_of(tmp_path, 400)
    model = ModelSettings(name="echo", engine="echo", lanes=LANES)
    price = {"input": "999999"}  # about one for each token, in batches half
    table = model_table(model, echo={"delay_seconds": DELAY_SECONDS}, price=price)
    config = config_of(tmp_path, table)
    words = ("--prompt", QUESTION, "--max-cost", "20", *config)
    command = RunCommand(tmp_path, source, "out.jsonl", *words)
    assert "400 rows" in command.finish(1)
    errors = [row["error"] for row in command.rows()]
    answered = errors.count(None)
    assert 0 < answered < 400
    told = "CANCELLED: not reached: the run cost as much as --max-cost allows"
    assert errors.count(told) == 400 - answered
