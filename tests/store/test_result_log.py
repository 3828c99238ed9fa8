"""The result log: what is read back after any damage is exactly what stood before it."""

import errno
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from toplu.job import JobId
from toplu.money import TOKENS, Usage
from toplu.store.blobs.records import DIGEST_BYTES, DISCARDED, HEADER, Record
from toplu.store.blobs.result_log import ResultLog, Scan

JOB = JobId("job1")

COUNTS = st.integers(0, 2**32 - 1)
COMPUTED = [name for name in TOKENS if not name.startswith("reused")]
REUSED = st.builds(Usage, reused_requests=st.just(1), reused_tokens=COUNTS)
DIGESTS = st.none() | st.binary(min_size=DIGEST_BYTES, max_size=DIGEST_BYTES)
RECORDS = st.lists(
    st.builds(
        Record,
        index=st.integers(0, 2**32 - 1),
        succeeded=st.booleans(),
        payload=st.binary(max_size=40),
        usage=st.builds(Usage, **dict.fromkeys(COMPUTED, COUNTS)),
    ).flatmap(
        lambda record: (
            st.builds(replace, st.just(record), is_copy=st.booleans(), digest=DIGESTS)
            | st.builds(replace, st.just(record), usage=REUSED)
            if record.succeeded
            else st.just(record)
        )
    ),
    min_size=1,
    max_size=6,
)


@pytest.fixture
def log(tmp_path: Path) -> ResultLog:
    return ResultLog(tmp_path / "results")


def a_record(index: int, payload: bytes = b'{"key":"a"}') -> Record:
    return Record(index=index, succeeded=True, payload=payload)


def path_of(root: Path, shard: int = 0, epoch: int = 1) -> Path:
    return root / JOB / f"{shard}-{epoch}.log"


def read_back(log: ResultLog, limit_bytes: int | None = None) -> list[Record]:
    scan = log.scan(JOB, 0, 1, limit_bytes)
    payloads = list(log.read_payloads(JOB, 0, 1, pieces_of(scan))) if scan.entries else []
    return [
        Record(
            index=entry.index,
            succeeded=entry.succeeded,
            payload=payload,
            usage=entry.usage,
            is_copy=entry.is_copy,
            digest=entry.digest,
        )
        for entry, payload in zip(scan.entries, payloads, strict=True)
    ]


def size_of(record: Record) -> int:
    usage = record.usage
    tokens = (
        usage.discarded_prompt_tokens,
        usage.discarded_cached_tokens,
        usage.discarded_output_tokens,
    )
    further = DISCARDED.size if any(tokens) else 0
    digest = b"" if record.digest is None else record.digest
    return HEADER.size + further + len(digest) + len(record.payload)


def whole_before(records: list[Record], position: int) -> list[Record]:
    """The records that end at `position` at the latest."""
    end = 0
    whole = []
    for record in records:
        end += size_of(record)
        if end > position:
            break
        whole.append(record)
    return whole


@settings(max_examples=60)
@given(records=RECORDS, data=st.data())
def test_a_file_cut_anywhere_yields_the_whole_records_before_the_cut(
    records: list[Record], data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        log = ResultLog(root)
        size_bytes = log.append(JOB, 0, 1, records, at=0)
        cut = data.draw(st.integers(0, size_bytes))
        assert read_back(log, cut) == whole_before(records, cut)
        os.truncate(path_of(root), cut)
        assert read_back(log) == whole_before(records, cut)
        scan = log.scan(JOB, 0, 1)
        assert scan.valid_bytes + scan.damaged_bytes == cut


@settings(max_examples=60)
@given(records=RECORDS, data=st.data())
def test_a_changed_byte_anywhere_yields_the_records_before_it(
    records: list[Record], data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        log = ResultLog(root)
        size_bytes = log.append(JOB, 0, 1, records, at=0)
        position = data.draw(st.integers(0, size_bytes - 1))
        content = bytearray(path_of(root).read_bytes())
        content[position] ^= data.draw(st.integers(1, 255))
        path_of(root).write_bytes(content)
        assert read_back(log) == whole_before(records, position)


def test_zeros_that_a_power_cut_left_are_no_records(log: ResultLog, tmp_path: Path) -> None:
    log.append(JOB, 0, 1, [a_record(1)], at=0)
    with path_of(tmp_path / "results").open("ab") as file:
        file.write(bytes(100))
    assert read_back(log) == [a_record(1)]
    assert log.scan(JOB, 0, 1).damaged_bytes == 100


def test_appends_follow_each_other(log: ResultLog) -> None:
    end = log.append(JOB, 0, 1, [a_record(1), a_record(2, b"")], at=0)
    end = log.append(JOB, 0, 1, [], at=end)
    end = log.append(JOB, 0, 1, [a_record(3)], at=end)
    assert read_back(log) == [a_record(1), a_record(2, b""), a_record(3)]
    scan = log.scan(JOB, 0, 1)
    assert (scan.valid_bytes, scan.damaged_bytes) == (end, 0)
    third = scan.entries[2]
    assert log.read(JOB, 0, 1, third.offset, third.length) == a_record(3).payload


def test_a_limit_hides_what_was_not_committed(log: ResultLog) -> None:
    end = log.append(JOB, 0, 1, [a_record(1)], at=0)
    log.append(JOB, 0, 1, [a_record(2)], at=end)
    assert read_back(log, end) == [a_record(1)]
    assert log.scan(JOB, 0, 1, end).damaged_bytes == 0


def test_each_lease_has_a_file_of_its_own(log: ResultLog) -> None:
    log.append(JOB, 0, 1, [a_record(1)], at=0)
    log.append(JOB, 0, 2, [a_record(2)], at=0)
    log.append(JOB, 1, 1, [a_record(3)], at=0)
    assert read_back(log) == [a_record(1)]
    assert log.scan(JOB, 0, 3).entries == []


def test_an_append_goes_over_the_rest_of_one_that_failed(log: ResultLog, tmp_path: Path) -> None:
    end = log.append(JOB, 0, 1, [a_record(1)], at=0)
    with path_of(tmp_path / "results").open("ab") as file:
        file.write(b"torn by a failure")
    log.append(JOB, 0, 1, [a_record(2)], at=end)
    assert read_back(log) == [a_record(1), a_record(2)]


def test_a_full_disk_raises_and_costs_no_committed_result(
    log: ResultLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    end = log.append(JOB, 0, 1, [a_record(1)], at=0)

    def is_full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", is_full)
        with pytest.raises(OSError, match="No space left") as caught:
            log.append(JOB, 0, 1, [a_record(2)], at=end)
    assert caught.value.errno == errno.ENOSPC
    assert read_back(log) == [a_record(1)]
    log.append(JOB, 0, 1, [a_record(2)], at=end)
    assert read_back(log) == [a_record(1), a_record(2)]


def test_committed_results_are_never_appended_past(log: ResultLog) -> None:
    end = log.append(JOB, 0, 1, [a_record(1)], at=0)
    with pytest.raises(AssertionError):
        log.append(JOB, 0, 1, [a_record(2)], at=end + 1)


async def test_a_deleted_job_has_no_results(log: ResultLog) -> None:
    log.append(JOB, 0, 1, [a_record(1)], at=0)
    log.append(JobId("job2"), 0, 1, [a_record(1)], at=0)
    await log.delete_job(JOB)
    await log.delete_job(JOB)
    assert log.scan(JOB, 0, 1).entries == []
    assert len(log.scan(JobId("job2"), 0, 1).entries) == 1


def test_a_job_id_that_leads_elsewhere_is_a_bug(log: ResultLog) -> None:
    with pytest.raises(AssertionError):
        log.scan(JobId("../else"), 0, 1)


def pieces_of(scan: Scan) -> list[tuple[int, int]]:
    return [(entry.offset, entry.length) for entry in scan.entries]
