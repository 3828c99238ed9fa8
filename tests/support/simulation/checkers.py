"""Checks what must hold after every step, read from the disk as a stranger would read it."""

import json
import sqlite3
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.simulation.asked import texts_of
from toplu import money
from toplu.job import WORK_SCALE
from toplu.money import UNITS, WORK_OF_REQUEST, Kind, Prices, Usage
from toplu.store.data_folder import DataFolder

FINAL = {"SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED"}
TOKENS = (
    *("prompt_tokens", "cached_tokens", "output_tokens"),
    *("reused_requests", "reused_tokens"),
)
PRICES = ("input_units", "cached_units", "output_units", "reused_units")


class Violated(AssertionError):
    """Something that must always hold did not."""


def hold(*, that: bool, so: str) -> None:
    if not that:
        raise Violated(so)


@dataclass
class Checker:
    """Remembers what it saw, for what may only grow and what must stay."""

    data: DataFolder
    states: dict[str, str] = field(default_factory=dict)
    epochs: dict[tuple[str, int], int] = field(default_factory=dict)
    outcomes: dict[tuple[str, int], int] = field(default_factory=dict)
    charged: dict[tuple[str, str], int] = field(default_factory=dict)

    def look(self) -> None:
        """Raise Violated if something does not hold at this moment."""
        with _reading(self.data.database) as database:
            jobs = {row["id"]: row for row in database.execute("SELECT * FROM jobs")}
            shards = list(database.execute("SELECT * FROM shards"))
            ledger = list(database.execute("SELECT * FROM ledger"))
            shares = list(database.execute("SELECT * FROM shares"))
            spending = list(database.execute("SELECT * FROM spending"))
        for job in jobs.values():
            self._look_at_job(job, [shard for shard in shards if shard["job"] == job["id"]])
        for shard in shards:
            self._look_at_shard(shard)
        self._look_at_ledger(jobs, ledger)
        self._look_at_shares(jobs, shares)
        check_spending(jobs, ledger, spending)

    def _look_at_job(self, job: sqlite3.Row, shards: Sequence[sqlite3.Row]) -> None:
        name, state = job["id"], job["state"]
        before = self.states.get(name)
        hold(
            that=before not in FINAL or before == state,
            so=f"{name} was {before} and is {state}",
        )
        self.states[name] = state
        hold(that=(job["ended"] is not None) == (state in FINAL), so=f"{name}: {state} and ended")
        if not shards:
            return
        for column in ("succeeded", "failed", *TOKENS):
            total = sum(shard[column] for shard in shards)
            hold(
                that=job[column] == total,
                so=f"{name} counts {job[column]} {column}, and its shards {total}",
            )
        done = job["succeeded"] + job["failed"]
        hold(that=done <= job["total"], so=f"{name} has {done} outcomes of {job['total']} requests")

    def _look_at_shard(self, shard: sqlite3.Row) -> None:
        key = (shard["job"], shard["number"])
        done = shard["succeeded"] + shard["failed"]
        hold(that=shard["epoch"] >= self.epochs.get(key, 0), so=f"{key}: an epoch went back")
        hold(that=done >= self.outcomes.get(key, 0), so=f"{key}: an outcome was taken back")
        hold(that=done <= shard["count"], so=f"{key}: {done} outcomes of {shard['count']}")
        self.epochs[key], self.outcomes[key] = shard["epoch"], done

    def _look_at_ledger(self, jobs: dict[str, sqlite3.Row], ledger: Sequence[sqlite3.Row]) -> None:
        entries = Counter(entry["id"] for entry in ledger)
        for job in jobs.values():
            wanted = 1 if job["state"] in FINAL or job["deleted"] else 0
            name = job["id"]
            hold(that=entries[name] == wanted, so=f"{name} has {entries[name]} ledger entries")
        for entry in ledger:
            job = jobs.get(entry["id"])
            for column in TOKENS if job is not None else ():
                hold(
                    that=entry[column] == job[column],
                    so=f"{entry['id']}: the ledger has {entry[column]} {column}",
                )

    def _look_at_shares(self, jobs: dict[str, sqlite3.Row], shares: Sequence[sqlite3.Row]) -> None:
        for job in jobs.values():
            usage = Usage(**{name: job[name] for name in TOKENS})
            run = job["succeeded"] + job["failed"] - job["carried"]
            work = usage.work + WORK_OF_REQUEST * run
            self.charged[job["project"], job["id"]] = work
        for share in shares:
            project = share["project"]
            work = sum(work for (owner, _), work in self.charged.items() if owner == project)
            served = share["served"] / WORK_SCALE
            hold(that=served >= work, so=f"{project} was charged {served} for work of {work}")
            # With nobody else there is nobody to be lifted to.
            if len(shares) == 1:
                hold(that=served == work, so=f"{project} was charged {served} for work of {work}")


def read_output(data: DataFolder, job: str) -> list[dict[str, Any]]:
    """Return the results of a job that succeeded."""
    path = Path(data.blobs) / "jobs" / job / "output.jsonl"
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def check_output(
    output: Sequence[dict[str, Any]], lines: Sequence[bytes], job: sqlite3.Row | dict[str, Any]
) -> None:
    """Every line has one outcome, in its place, with its key and the answer to its own text."""
    hold(that=len(output) == len(lines), so=f"{len(output)} results of {len(lines)} lines")
    failed = 0
    for place, (result, line, text) in enumerate(zip(output, lines, texts_of(lines), strict=True)):
        failed += "error" in result
        try:
            asked = json.loads(line)
        except ValueError:
            hold(that="error" in result, so=f"line {place} is no JSON and has a response")
            continue
        key = result.get("key") or result.get("metadata", {}).get("key")
        hold(that=key == asked["key"], so=f"line {place}: {key} is not {asked['key']}")
        if "error" in result:
            continue
        said = result["response"]["candidates"][0]["content"]["parts"][0]["text"]
        hold(that=said == text, so=f"line {place} has the answer to another: {said}")
    hold(that=job["failed"] == failed, so=f"{job['failed']} failed, and {failed} results")
    succeeded = len(lines) - failed
    hold(that=job["succeeded"] == succeeded, so=f"{job['succeeded']} succeeded of {succeeded}")


def check_usage(lines: Sequence[bytes], job: sqlite3.Row | dict[str, Any]) -> None:
    """Only broken lines failed, and each answer is counted once, those of duplicates together."""
    texts = [text for text in texts_of(lines) if text is not None]
    broken = len(lines) - len(texts)
    hold(that=job["failed"] == broken, so=f"{job['failed']} failed, and {broken} are broken")
    paid = job["succeeded"] - job["deduplicated"]
    hold(that=paid >= len(set(texts)), so=f"{paid} were computed of {len(set(texts))} that differ")
    tokens = sorted(len(text.split()) for text in texts)
    # Duplicates are parted by the bounds of a shard: each part computes one answer.
    least = sum(len(text.split()) for text in set(texts))
    written = job["output_tokens"]
    hold(
        that=least <= written <= sum(tokens), so=f"{written} tokens are counted, {least} are asked"
    )
    if not job["deduplicated"]:
        hold(that=written == sum(tokens), so=f"{written} tokens are counted of {sum(tokens)}")


def check_carried(over: sqlite3.Row, taken_up_by: sqlite3.Row) -> None:
    """Whatever had its response is carried over, and nothing else."""
    done, carried = over["succeeded"], taken_up_by["carried"]
    hold(that=done == carried, so=f"{over['id']} had {done} responses, and {carried} are carried")


def check_spending(
    jobs: dict[str, sqlite3.Row], ledger: Sequence[sqlite3.Row], spending: Sequence[sqlite3.Row]
) -> None:
    """Projects have spent what their batches and calls have cost so far."""
    costs: Counter[str] = Counter()
    for entry in ledger:
        costs[entry["project"]] += entry["cost_whole"] * UNITS + entry["cost_units"]
    for job in jobs.values():
        if job["state"] not in FINAL and not job["deleted"]:
            prices = Prices(**{name: job[name] for name in PRICES})
            usage = Usage(**{name: job[name] for name in money.TOKENS})
            costs[job["project"]] += prices.cost(usage, Kind.BATCH)
    for row in spending:
        spent, cost = row["cost_whole"] * UNITS + row["cost_units"], costs.pop(row["project"], 0)
        hold(that=spent == cost, so=f"{row['project']} spent {spent}, and its work cost {cost}")
    hold(that=not any(costs.values()), so=f"{costs} were not counted")


def rows_of_jobs(data: DataFolder) -> list[sqlite3.Row]:
    with _reading(data.database) as database:
        return list(database.execute("SELECT * FROM jobs"))


def owners_of(data: DataFolder) -> list[str]:
    """Return who holds a shard or a step."""
    with _reading(data.database) as database:
        query = "SELECT owner FROM shards WHERE owner IS NOT NULL UNION SELECT owner FROM steps"
        return [row["owner"] for row in database.execute(query)]


class _reading:  # noqa: N801  # used as a statement
    """A connection that only reads, closed at the end."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        self._database.row_factory = sqlite3.Row

    def __enter__(self) -> sqlite3.Connection:
        return self._database

    def __exit__(self, *_: object) -> None:
        self._database.close()
