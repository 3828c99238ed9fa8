"""`toplu run`: a file in, a file out."""

import contextlib
import csv
import json
import os
import re
import subprocess
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from openai.types.chat import ChatCompletion

from support.model_tables import echo_model, quick_embedder, quick_model
from support.processes import listening_ports_of, memory_of_all
from support.run_command import RunCommand, config_of, table_of
from support.waiting import eventually
from toplu.settings.bounds import MIB

pytestmark = pytest.mark.system

QUESTION = "Say {text}"
QUOREF = Path(__file__).parents[2] / "benchmarks" / "sample" / "quoref_sample.json"
DELAY_SECONDS = 0.1
LOOK_SECONDS = 0.3
MEMORY_BYTES_MAX = 300 * MIB
LANES = 4


def test_a_table_is_answered_without_a_port_and_nothing_else_is_left(tmp_path: Path) -> None:
    source = table_of(tmp_path, 100)
    config = config_of(tmp_path, echo_model(delay_seconds=0.02))
    command = RunCommand(
        tmp_path, source, "out.csv", "--prompt", QUESTION, *config, log_level="debug"
    )
    process = command.start()
    eventually(lambda: command.finished_requests() or process.poll() is not None)
    assert listening_ports_of(process.pid) == []
    told = command.wait(process, 0)
    assert told == f"{command.output}: 100 rows, 0 failed, 500 tokens read, 500 written\n"
    with command.output.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["answer"] for row in rows] == [f"Say {row['text']}" for row in rows]
    assert [row["id"] for row in rows] == [str(number) for number in range(100)]
    assert {path.name for path in tmp_path.iterdir()} == {"in.csv", "models.toml", "out.csv"}
    umask = os.umask(0)
    os.umask(umask)
    assert command.output.stat().st_mode & 0o777 == 0o666 & ~umask


def test_a_terminal_shows_how_far_the_run_is_and_a_pipe_does_not(tmp_path: Path) -> None:
    source = table_of(tmp_path, 40)
    config = config_of(tmp_path, echo_model(delay_seconds=DELAY_SECONDS, lanes=LANES))
    words = ("--prompt", QUESTION, *config)
    assert "\x1b" not in RunCommand(tmp_path, source, "piped.jsonl", *words).finish()
    told = RunCommand(tmp_path, source, "out.jsonl", *words).finish_on_a_terminal()
    assert "asking" in told
    assert "/40" in told
    assert re.search(r"\d:\d\d:\d\d", told)  # the time that is left
    assert told.rstrip().endswith("written")


@pytest.mark.parametrize("names", [("in.csv", "out.parquet"), ("in.parquet", "out.csv")])
def test_texts_of_others_come_through_whole(tmp_path: Path, names: tuple[str, str]) -> None:
    examples = json.loads(QUOREF.read_text(encoding="utf-8"))["examples"]
    table = pa.table(
        {
            "question": [example["input"] for example in examples],
            "answers": [json.dumps(example["target"]) for example in examples],
        }
    )
    source, output = (tmp_path / name for name in names)
    (pyarrow.csv.write_csv if source.suffix == ".csv" else pq.write_table)(table, source)
    config = config_of(tmp_path, echo_model())
    RunCommand(tmp_path, source, output.name, "--prompt", "{question}", *config).finish()
    options = pyarrow.csv.ParseOptions(newlines_in_values=True)
    if output.suffix == ".csv":
        found = pyarrow.csv.read_csv(output, parse_options=options)
    else:
        found = pq.read_table(output)
    assert found["question"].equals(table["question"])
    assert found["answers"].equals(table["answers"])
    assert found["answer"].to_pylist() == table["question"].to_pylist()


@pytest.mark.alone
def test_the_memory_of_a_run_does_not_grow_with_its_rows(tmp_path: Path) -> None:
    source = table_of(tmp_path, 100_000)
    config = config_of(tmp_path, echo_model())
    command = RunCommand(tmp_path, source, "out.csv", "--prompt", QUESTION, *config)
    process = command.start()
    peak = 0
    while process.poll() is None:
        peak = max(peak, memory_of_all(process.pid))
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(LOOK_SECONDS)
    assert "100000 rows, 0 failed" in command.wait(process, 0)
    assert 0 < peak <= MEMORY_BYTES_MAX


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
