"""Uploads in a bucket that go on at two apis: one has the next piece, and none is lost."""

import asyncio

import pytest

from toplu.errors import Unavailable
from toplu.files.parts.bucket_parts import BucketParts
from toplu.files.parts.part import blob_of
from toplu.store.blobs.bucket import Bucket
from toplu.store.blobs.bucket_blobs import BucketBlobs
from toplu.store.blobs.scratch import Scratch

pytestmark = pytest.mark.system

ONE = "0a" * 32


@pytest.fixture
def apis(bucket: Bucket, tmp_path) -> tuple[BucketParts, BucketParts]:
    blobs = BucketBlobs(bucket, Scratch(tmp_path))
    return BucketParts(bucket, blobs), BucketParts(bucket, blobs)


async def test_an_upload_goes_on_at_another_api(
    bucket: Bucket, apis: tuple[BucketParts, BucketParts], tmp_path
) -> None:
    for number, api in enumerate((*apis, *apis)):
        async with api.hold(ONE) as part:
            assert await api.size(ONE) == 3 * number
            await part.write(b"%03d" % number)
    async with apis[0].hold(ONE) as part:
        whole = b"000001002003"
        assert await part.read(2, 8) == whole[2:10]
        # The digest is of the pieces of both.
        first = await part.digest()
        await part.keep(blob_of(ONE))
    async with apis[1].hold(ONE) as part:
        assert await apis[1].size(ONE) is None
        with pytest.raises(FileNotFoundError):
            await part.digest()
    blobs = BucketBlobs(bucket, Scratch(tmp_path))
    assert b"".join([it async for it in blobs.stream(blob_of(ONE))]) == whole
    async with BucketParts(bucket, blobs).hold("0b" * 32) as part:
        await part.write(whole)
        assert await part.digest() == first


async def test_of_two_that_go_on_at_once_one_does(apis: tuple[BucketParts, BucketParts]) -> None:
    async with apis[0].hold(ONE) as here, apis[1].hold(ONE) as there:
        outcomes = await asyncio.gather(
            here.write(b"here"), there.write(b"there"), return_exceptions=True
        )
    assert sorted(map(type, outcomes), key=str) == sorted([type(None), Unavailable], key=str)
    kept = "here" if outcomes[0] is None else "there"
    assert await apis[0].size(ONE) == len(kept)


async def test_the_same_piece_twice_is_one(apis: tuple[BucketParts, BucketParts]) -> None:
    """The reply to the first was lost."""
    async with apis[0].hold(ONE) as here, apis[1].hold(ONE) as there:
        await here.write(b"same")
        await there.write(b"same")
    assert await apis[0].size(ONE) == 4


async def test_a_part_that_was_removed_elsewhere_is_gone(
    apis: tuple[BucketParts, BucketParts],
) -> None:
    async with apis[0].hold(ONE) as part:
        await part.write(b"some")
        await apis[1].remove(ONE)
        with pytest.raises(FileNotFoundError):
            await part.sync()
        assert await apis[0].size(ONE) is None
