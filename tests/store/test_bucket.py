"""A bucket behind the contracts: how many objects there are, and what a fault of it looks like."""

import errno
from contextlib import nullcontext
from pathlib import Path
from typing import NamedTuple

import pytest
from msgspec.structs import replace

from support.bucket import own_part
from toplu.errors import ConfigurationError
from toplu.job import JobId
from toplu.settings.storage.bucket import BucketSettings
from toplu.store.blobs import bucket_results
from toplu.store.blobs.bucket import Bucket
from toplu.store.blobs.bucket_connection import open_bucket
from toplu.store.blobs.bucket_results import BucketResults
from toplu.store.blobs.records import Record
from toplu.store.blobs.result_log import Addition, Segment
from toplu.store.blobs.scratch import Scratch

pytestmark = pytest.mark.system


class DiskUsage(NamedTuple):
    free: int


async def keys(bucket: Bucket, folder: str) -> list[str]:
    return [found.key async for found in bucket.below(folder)]


async def test_a_group_is_one_object_for_each_job(bucket: Bucket, tmp_path: Path) -> None:
    results = BucketResults(bucket, Scratch(tmp_path))
    record = Record(index=0, succeeded=True, payload=b"{}")
    await results.append_all(
        [
            Addition(job=JobId(job), shard=shard, epoch=2, at=0, records=[record])
            for shard in range(3)
            for job in ("one", "two")
        ]
    )
    assert await keys(bucket, "jobs/one") == ["jobs/one/results/0-2-0-27_1-2-0-27_2-2-0-27"]
    assert len(await keys(bucket, "jobs")) == 2


async def test_results_that_have_no_room_to_be_read_leave_the_room_to_others(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = BucketResults(bucket, Scratch(tmp_path))
    record = Record(index=0, succeeded=True, payload=b"x" * 1000)
    addition = Addition(job=JobId("one"), shard=0, epoch=1, at=0, records=[record])
    (end,) = await results.append_all([addition])
    assert isinstance(end, int)
    counted = [Segment(job=JobId("one"), shard=0, epoch=1, committed_bytes=end)]
    for free, is_enough in ((end - 1, False), (end, True)):
        monkeypatch.setattr(bucket_results.shutil, "disk_usage", lambda _, it=free: DiskUsage(it))
        with nullcontext() if is_enough else pytest.raises(OSError) as refused:
            async with results.counted(JobId("one"), counted) as log:
                assert len(log.scan(JobId("one"), 0, 1, end).entries) == 1
        assert is_enough or refused.value.errno == errno.ENOSPC
        assert [*tmp_path.iterdir()] == [], "nothing is left of it"


async def test_a_key_is_created_once_and_again_with_the_same_bytes(bucket: Bucket) -> None:
    await bucket.create("a/key", b"first")
    await bucket.create("a/key", b"first")
    for other in (b"other", b"longer than it"):
        with pytest.raises(FileExistsError):
            await bucket.create("a/key", other)
    assert await bucket.read_all("a/key") == b"first"


async def test_many_objects_are_listed_and_removed(bucket: Bucket) -> None:
    await bucket.put("a/0000", b"x")
    await bucket.copy_all(("a/0000", f"a/{number:04}") for number in range(1, 1100))
    await bucket.put("ab/c", b"beside")
    assert await keys(bucket, "a") == [f"a/{number:04}" for number in range(1100)]
    await bucket.delete_below("a")
    assert await keys(bucket, "a") == []
    assert await keys(bucket, "ab") == ["ab/c"]


@pytest.mark.parametrize("broken", ["nobody listens", "no such bucket"])
async def test_a_bucket_that_fails_is_a_broken_disk(store: BucketSettings, broken: str) -> None:
    settings = replace(own_part(store), call_seconds_max=0.5)
    if broken == "nobody listens":
        settings = replace(settings, endpoint="http://127.0.0.1:9")
    else:
        settings = replace(settings, url="s3://another-bucket")
    bucket = open_bucket(settings)
    for call in (
        lambda: bucket.put("a/b", b"x"),
        lambda: bucket.create("a/b", b"x"),
        lambda: bucket.size("a/b"),
        lambda: bucket.read("a/b", 0, 1),
        lambda: keys(bucket, "a"),
        lambda: bucket.copy_all([("a/b", "a/c")]),
    ):
        with pytest.raises(OSError, match="does not answer") as raised:
            await call()
        assert raised.value.errno == errno.EIO
        assert "testsecret123" not in repr(raised.value)


def credentials(folder: Path, text: str) -> BucketSettings:
    (folder / "keys").write_text(text)
    return BucketSettings(url="s3://batch", credentials_file=folder / "keys", profile="ours")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("secret-without-a-section", r"is no credentials file: it needs a line \[ours\]"),
        ("[default]\n", r"has no section \[ours\]"),
        ("[ours]\naws_access_key_id = a\n", r"\[ours\] has no aws_secret_access_key"),
        ("[ours]\naws_secret_access_key = a\n", r"\[ours\] has no aws_access_key_id"),
    ],
)
def test_a_file_without_keys_is_refused_and_not_quoted(
    tmp_path: Path, text: str, fault: str
) -> None:
    with pytest.raises(ConfigurationError, match=fault) as raised:
        open_bucket(credentials(tmp_path, text))
    assert "secret-without" not in str(raised.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    settings = BucketSettings(url="s3://batch", credentials_file=tmp_path / "none")
    with pytest.raises(ConfigurationError, match="none: cannot be read: No such file"):
        open_bucket(settings)
