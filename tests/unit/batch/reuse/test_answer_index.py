"""The index of answers: whatever was taken is found at its place, and nothing else is."""

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toplu.batch.reuse.answer_index import BLOCK_RECORDS, RECORD, IndexWriter, find_answer
from toplu.money import NO_TOKENS
from toplu.store.blobs.blobs import DiskBlobs
from toplu.store.blobs.records import DIGEST_BYTES, Entry

INDEX = "jobs/one/answers"


def digest_of(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=DIGEST_BYTES).digest()


def entry(index: int, digest: bytes | None) -> tuple[int, Entry]:
    return 1, Entry(
        index=index,
        succeeded=True,
        offset=0,
        length=0,
        usage=NO_TOKENS,
        is_copy=False,
        digest=digest,
    )


async def write(tmp_path: Path, lines: list[bytes], digests: list[bytes | None]) -> DiskBlobs:
    """Write the index of an output with these lines, in two pieces."""
    blobs = DiskBlobs(tmp_path / "blobs")
    async with blobs.workshop() as folder:
        with IndexWriter(folder, len(lines)) as index:
            index.put({place: entry(place, it) for place, it in enumerate(digests)})
            middle = len(lines) // 2
            for piece in (lines[:middle], lines[middle:]):
                index.note_output(b"".join(line + b"\n" for line in piece))
            index.write(folder / "index")
        await blobs.adopt(folder / "index", INDEX)
    return blobs


@pytest.mark.parametrize("count", [1, 2, BLOCK_RECORDS, 3 * BLOCK_RECORDS + 1])
async def test_every_answer_is_found_where_it_lies(tmp_path: Path, count: int) -> None:
    lines = [b"answer %d" % place for place in range(count)]
    digests = [digest_of(str(place)) for place in range(count)]
    blobs = await write(tmp_path, lines, list(digests))
    output = b"".join(line + b"\n" for line in lines)
    for line, digest in zip(lines, digests, strict=True):
        place = await find_answer(blobs, INDEX, count, digest)
        assert place is not None
        offset, length = place
        assert output[offset : offset + length] == line
    for other in ("other", "one", "more", "and another"):
        assert await find_answer(blobs, INDEX, count, digest_of(other)) is None


async def test_answers_that_others_may_not_have_are_left_out(tmp_path: Path) -> None:
    lines = [b"a", b"bb", b"ccc", b"dddd"]
    wanted = digest_of("c")
    blobs = await write(tmp_path, lines, [None, None, wanted, None])
    assert await blobs.size(INDEX) == RECORD.size
    assert await find_answer(blobs, INDEX, 1, wanted) == (5, 3)
    assert await find_answer(blobs, INDEX, 0, wanted) is None


# Digests that are spread as badly as can be: close to each other, and at both ends.
CLOSE = st.integers(0, 5000).map(lambda number: number.to_bytes(DIGEST_BYTES))
ENDS = st.sampled_from([bytes(DIGEST_BYTES - 1) + b"\x01", b"\xff" * DIGEST_BYTES])


@given(st.sets(CLOSE | ENDS, min_size=1, max_size=200), CLOSE | ENDS)
async def test_what_is_there_is_found_however_it_is_spread(
    tmp_path_factory: pytest.TempPathFactory, digests: set[bytes], asked: bytes
) -> None:
    known = sorted(digests - {bytes(DIGEST_BYTES)})
    blobs = await write(tmp_path_factory.mktemp("index"), [b"x"] * len(known), list(known))
    place = await find_answer(blobs, INDEX, len(known), asked)
    assert (place is not None) == (asked in known)
