"""`toplu run`: a file in, a file out, whatever happens on the way."""

import csv
import json
import os
import signal
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from openai.types.chat import ChatCompletion

from support.chaos.repeats import check_repeats
from support.model_tables import echo_model, model_table, quick_embedder, quick_model
from support.ports import free_port
from support.processes import listening_ports_of
from support.run_command import RunCommand
from support.server import started_server
from support.waiting import eventually
from toplu.settings.model import ModelSettings

QUESTION = "Say {text}"
DELAY_SECONDS = 0.1
LANES = 4
LIFE_BEGINS = json.dumps({"event": "process_started", "name": "run"})


def table_of(folder: Path, rows: int) -> Path:
    path = folder / "in.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text"])
        writer.writerows([number, f'Row "{number}",\nof Ümlauts'] for number in range(rows))
    return path


def config_of(folder: Path, text: str) -> tuple[str, str]:
    path = folder / "models.toml"
    path.write_text(text)
    return "--config", str(path)


def check_rows(command: RunCommand, rows: int) -> None:
    assert [(row["id"], row["answer"], row["error"]) for row in command.rows()] == [
        (str(number), f'Say Row "{number}",\nof Ümlauts', None) for number in range(rows)
    ]


def test_a_table_is_answered_without_a_port_and_nothing_else_is_left(tmp_path: Path) -> None:
    source = table_of(tmp_path, 100)
    config = config_of(tmp_path, echo_model(delay_seconds=0.02))
    command = RunCommand(
        tmp_path, source, "out.csv", "--prompt", QUESTION, *config, log_level="debug"
    )
    process = command.start()
    eventually(lambda: command.finished_requests() or process.poll() is not None)
    assert listening_ports_of(process.pid) == []
    assert "100 rows, 0 failed" in command.wait(process, 0)
    with command.output.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["answer"] for row in rows] == [f"Say {row['text']}" for row in rows]
    assert [row["id"] for row in rows] == [str(number) for number in range(100)]
    assert {path.name for path in tmp_path.iterdir()} == {"in.csv", "models.toml", "out.csv"}
    umask = os.umask(0)
    os.umask(umask)
    assert command.output.stat().st_mode & 0o777 == 0o666 & ~umask


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


@pytest.mark.system
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


def test_lines_of_openais_batches_are_answered_as_its_files_are(tmp_path: Path) -> None:
    source = tmp_path / "batch.jsonl"
    lines = [
        {
            "custom_id": f"request-{number}",
            "method": "POST",
            "url": "/v1/chat/completions",
            "body": {
                "model": "echo",
                "messages": [{"role": "user", "content": f"Say {number}."}],
            },
        }
        for number in range(20)
    ]
    source.write_text("".join(json.dumps(line) + "\n" for line in lines))
    config = config_of(tmp_path, echo_model())
    command = RunCommand(tmp_path, source, "out.jsonl", *config)
    assert "20 rows, 0 failed" in command.finish()
    found = command.rows()
    assert [line["custom_id"] for line in found] == [line["custom_id"] for line in lines]
    for number, line in enumerate(found):
        body = ChatCompletion.model_validate(line["response"]["body"], strict=True)
        assert body.choices[0].message.content == f"Say {number}."


@pytest.mark.model
def test_a_real_model_fills_the_fields_of_a_schema(tmp_path: Path) -> None:
    source = tmp_path / "cities.csv"
    source.write_text('\ufeffcity\nParis\n"Berlin, Germany"\nRome\n', encoding="utf-8")
    schema = tmp_path / "schema.json"
    fields = {"country": {"type": "string", "maxLength": 20}, "large": {"type": "boolean"}}
    schema.write_text(
        json.dumps({"type": "object", "properties": fields, "required": list(fields)})
    )
    config = config_of(tmp_path, quick_model(64))
    words = ("--prompt", "Where is {city}?", "--schema", str(schema), *config)
    steady = ("--temperature", "0", "--seed", "1")
    command = RunCommand(tmp_path, source, "out.parquet", *words, *steady)
    command.finish()
    table = pq.read_table(command.output)
    assert table["city"].to_pylist() == ["Paris", "Berlin, Germany", "Rome"]
    assert [str(table.schema.field(name).type) for name in fields] == ["string", "bool"]
    assert table["error"].null_count == 3
    assert all(isinstance(country, str) for country in table["country"].to_pylist())
    assert all(tokens > 3 for tokens in table["prompt_tokens"].to_pylist())


@pytest.mark.model
def test_a_real_model_makes_vectors_of_a_column(tmp_path: Path) -> None:
    source = tmp_path / "words.tsv"
    source.write_text("n\tword\n1\tcat\n2\tkitten\n3\tcarburettor\n", encoding="utf-8")
    config = config_of(tmp_path, quick_embedder())
    command = RunCommand(tmp_path, source, "out.jsonl", "--embed", "word", *config)
    command.finish()
    cat, kitten, part = (row["embedding"] for row in command.rows())
    assert len(cat) == 384
    assert dot(cat, kitten) > dot(cat, part) + 0.2


def dot(first: list[float], second: list[float]) -> float:
    return sum(one * other for one, other in zip(first, second, strict=True))
