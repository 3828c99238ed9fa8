"""Placements: results are read back in input order, wherever they lie."""

import io
import random
from pathlib import Path
from typing import Any

import pytest

from toplu.batch.results import placements
from toplu.batch.results.placements import Placements
from toplu.job import JobId
from toplu.store.blobs.records import Entry, Record
from toplu.store.blobs.result_log import ResultLog

JOB = JobId("one")


def put_all(made: Placements, log: ResultLog, shard: int, epochs: int) -> None:
    entries: dict[int, tuple[int, Entry]] = {}
    for epoch in range(1, epochs + 1):
        scan = log.scan(JOB, shard, epoch)
        entries |= {entry.index: (epoch, entry) for entry in scan.entries}
    made.put(shard, entries)


@pytest.mark.parametrize("name", ["placements", None])
@pytest.mark.parametrize(("records_at_once", "output_bytes"), [(7, 10**6), (1000, 50), (3, 1)])
def test_results_are_read_in_input_order(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    records_at_once: int,
    output_bytes: int,
    name: str | None,
) -> None:
    monkeypatch.setattr(placements, "RECORDS_AT_ONCE", records_at_once)
    monkeypatch.setattr(placements, "OUTPUT_BYTES", output_bytes)
    log = ResultLog(tmp_path / "results")
    indexes = list(range(60))
    random.Random(3).shuffle(indexes)
    with Placements(None if name is None else tmp_path / name, 60) as made:
        for shard in range(6):
            own = indexes[10 * shard : 10 * shard + 10]
            for epoch, part in ((1, own[:4]), (2, own[4:])):
                records = [
                    Record(index=index, succeeded=True, payload=b"x" * (index % 5) + b"%d" % index)
                    for index in part
                ]
                log.append(JOB, shard, epoch, records, at=0)
            put_all(made, log, shard, epochs=2)
        lines = b"".join(made.output(log, JOB)).splitlines()
    assert lines == [b"x" * (index % 5) + b"%d" % index for index in range(60)]


def test_a_result_that_is_missing_is_noticed(tmp_path: Path) -> None:
    log = ResultLog(tmp_path / "results")
    log.append(JOB, 0, 1, [Record(index=1, succeeded=True, payload=b"x")], at=0)
    with Placements(tmp_path / "placements", 2) as made:
        put_all(made, log, 0, epochs=1)
        with pytest.raises(AssertionError, match="lacks results"):
            list(made.output(log, JOB))


def test_a_write_that_takes_only_a_part_is_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = ResultLog(tmp_path / "results")
    records = [Record(index=index, succeeded=True, payload=b"%d" % index) for index in range(9)]
    log.append(JOB, 0, 1, records, at=0)

    class Filling(io.FileIO):
        def write(self, data: Any) -> int:
            return super().write(data[:7])

    monkeypatch.setattr(io, "FileIO", Filling)
    with Placements(tmp_path / "placements", 9) as made:
        put_all(made, log, 0, 1)
        lines = b"".join(made.output(log, JOB)).splitlines()
    assert lines == [b"%d" % index for index in range(9)]
