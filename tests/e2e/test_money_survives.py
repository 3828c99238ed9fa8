"""The ledger balances to the token whatever happens to the server, and the operator can read it."""

import asyncio
import json
import random
import subprocess
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from support.jobs import (
    create_job,
    finished_job,
    operation_of,
    question,
    results_of,
    wait_for_answers,
)
from support.model_tables import model_table
from support.server import TOPLU, Server, clean_environment, started_server
from support.waiting import PATIENCE_SECONDS
from toplu.job import JobId
from toplu.money import Kind, Usage
from toplu.settings.server import ModelSettings, PriceSettings
from toplu.store.blobs.result_log import ResultLog
from toplu.store.data_folder import DataFolder
from toplu.store.rows.database import Database
from toplu.store.rows.jobs import JobRows
from toplu.store.rows.ledger import LedgerRows, Total
from toplu.store.rows.sqlite import SqliteDatabase

pytestmark = pytest.mark.system

T = TypeVar("T")

REQUESTS = 400
KILLS = 3
PRICED = ModelSettings(
    name="echo",
    aliases=("gemini-*",),
    engine="echo",
    price=PriceSettings(input="1", output="3"),
)
TIERS = """
[[tiers]]
name = "small"
concurrent_batches = 5

[[tiers]]
name = "large"
concurrent_batches = 500
enqueued_tokens = 1000000
"""


def configuration(**echo: Any) -> str:
    return TIERS + model_table(PRICED, echo=echo)


def ask_the_database(server: Server, question: Callable[[Database], Awaitable[T]]) -> T:
    """Return the answer of the server's own database, while the server runs."""

    async def ask() -> T:
        database = await SqliteDatabase.open(DataFolder(server.data_dir).database)
        try:
            return await question(database)
        finally:
            await database.close()

    return asyncio.run(ask())


def entries_of(server: Server) -> list[Total]:
    return ask_the_database(server, lambda database: LedgerRows(database).totals())


def used_by(lines: Iterable[dict[str, Any]]) -> Usage:
    """Return what the usage metadata of result lines adds up to."""
    found = [line["response"]["usageMetadata"] for line in lines if "response" in line]
    return Usage(
        prompt_tokens=sum(usage["promptTokenCount"] for usage in found),
        output_tokens=sum(usage["candidatesTokenCount"] for usage in found),
    )


def result_reader(server: Server, name: str) -> list[dict[str, Any]]:
    """Return the results of an unsuccessful batch that count, out of the log itself."""
    job = JobId(name.removeprefix("batches/"))
    segments = ask_the_database(server, lambda database: JobRows(database).segments(job))
    log = ResultLog(DataFolder(server.data_dir).results)
    lines: dict[int, dict[str, Any]] = {}
    for segment in segments:
        scan = log.scan(job, segment.shard, segment.epoch, segment.committed_bytes)
        pieces = [(entry.offset, entry.length) for entry in scan.entries]
        payloads = log.read_payloads(job, segment.shard, segment.epoch, pieces)
        for entry, payload in zip(scan.entries, payloads, strict=True):
            lines[entry.index] = json.loads(payload)
    return list(lines.values())


def run_toplu(server: Server, *words: str) -> subprocess.CompletedProcess[str]:
    config = str(server.data_dir.with_name("data.toml"))
    return subprocess.run(
        [str(TOPLU), *words, "--data-dir", str(server.data_dir), "--config", config],
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
        env=clean_environment() | {"COLUMNS": "200"},
    )


@pytest.mark.parametrize("seed", [1, 2])
def test_kills_neither_lose_nor_double_a_token(tmp_path: Path, seed: int) -> None:
    moments = random.Random(seed)
    config = configuration(delay_seconds=0.02, fail_pattern="question [0-9]*7\\.")
    with started_server(tmp_path, config=config, log_level="debug") as server:
        lines = [question(index) for index in range(REQUESTS)]
        name = create_job(server, lines)
        answers = 0
        for _ in range(KILLS):
            answers += moments.randint(30, REQUESTS // (KILLS + 1))
            wait_for_answers(server, name, answers)
            server.kill()
            server.start()
        results = results_of(server, name)
        assert sum("error" in result for result in results) == REQUESTS // 10
        (entry,) = entries_of(server)
        assert (entry.kind, entry.requests) == (Kind.BATCH, REQUESTS)
        assert entry.usage == used_by(results)
        # Four words each, of nine tenths of the requests: read and said again, at half price.
        tokens = 4 * REQUESTS * 9 // 10
        assert entry.usage == Usage(prompt_tokens=tokens, output_tokens=tokens)
        assert entry.cost_units == tokens * (1 + 3) * 10**6 // 2


def test_a_batch_cancelled_midway_costs_what_was_kept_of_it(tmp_path: Path) -> None:
    with started_server(
        tmp_path, config=configuration(delay_seconds=0.2), log_level="debug"
    ) as server:
        name = create_job(server, [question(index) for index in range(REQUESTS)])
        wait_for_answers(server, name, 40)
        server.kill()
        server.start()
        wait_for_answers(server, name, 90)
        assert server.call("POST", f"/v1beta/{name}:cancel").status == 200
        metadata = operation_of(server, name)["metadata"]
        server.kill()
        server.start()
        kept = result_reader(server, name)
        assert 0 < len(kept) < REQUESTS
        (entry,) = entries_of(server)
        assert entry.usage == used_by(kept)
        assert entry.requests == len(kept) == int(metadata["batchStats"]["successfulRequestCount"])
        assert metadata["toplu"]["usage"]["promptTokenCount"] == str(entry.usage.prompt_tokens)


def test_the_operator_reads_the_usage(tmp_path: Path) -> None:
    with started_server(tmp_path, config=configuration()) as server:
        name = create_job(server, [question(index) for index in range(5)])
        finished_job(server, name)
        body = {"contents": [{"parts": [{"text": "one two"}]}]}
        path = "/v1beta/models/gemini-2.5-flash:generateContent"
        assert server.call("POST", path, body).status == 200
        shown = run_toplu(server, "usage")
        assert shown.returncode == 0, shown.stderr
        day = entries_of(server)[0].day
        # Twenty tokens each way at half of 1 and 3 dollars a million, two each way at the whole.
        assert cells_of(shown.stdout) == [
            ["default", "echo", day, "batch", "5", "20", "0", "20", "0.00004 USD"],
            ["default", "echo", day, "interactive", "1", "2", "0", "2", "0.000008 USD"],
            ["total", "", "", "", "6", "22", "0", "22", "0.000048 USD"],
        ]
        assert cells_of(run_toplu(server, "usage", "--project", "nobody").stdout) == []
        assert cells_of(run_toplu(server, "usage", "--to", "2020-01-01").stdout) == []
        one_day = run_toplu(server, "usage", "--from", day, "--to", day, "--model", "echo")
        assert one_day.stdout == shown.stdout
        assert run_toplu(server, "usage", "--from", "yesterday").returncode == 2


def test_the_operator_sees_and_changes_tiers(tmp_path: Path) -> None:
    with started_server(tmp_path, config=configuration(delay_seconds=600)) as server:
        name = create_job(server, [question(0)])
        size_bytes = len(json.dumps(question(0))) + 1
        shown = cells_of(run_toplu(server, "projects", "list").stdout)
        tokens = -(-size_bytes // 4)
        storage = f"{size_bytes} of {20 * 1024**3}"
        assert shown == [["default", "small", "1", "1 of 5", f"echo: {tokens}", storage]]
        changed = run_toplu(server, "projects", "set", "default", "--tier", "large")
        assert (changed.returncode, changed.stdout) == (0, "default has tier large\n")
        assert server.call("POST", f"/v1beta/{name}:cancel").status == 200
        shown = cells_of(run_toplu(server, "projects", "list").stdout)
        assert shown == [["default", "large", "1", "0 of 500", "", storage]]
        refused = run_toplu(server, "projects", "set", "default", "--tier", "huge")
        assert refused.returncode == 2
        assert "small, large" in refused.stderr


def cells_of(table: str) -> list[list[str]]:
    """Return the cells of the rows of a printed table, its head left out."""
    return [
        [cell.strip() for cell in line.strip("│").split("│")]
        for line in table.splitlines()
        if line.startswith("│")
    ]
