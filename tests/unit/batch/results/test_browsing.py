"""A screenful of results is read by itself, however many there are."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.batch.batch_world import BatchWorld, record, taken
from toplu.batch import paths
from toplu.batch.results import browsing
from toplu.batch.results.browsing import Place, ResultBrowser, Screen, Wanted
from toplu.errors import InvalidArgument
from toplu.files.library import Library
from toplu.job import Job, JobId, JobState
from toplu.store.blobs.blobs import DiskBlobs

ONE = JobId("one")


class CountedBlobs(DiskBlobs):
    """Bytes on a disk, and how many of them were read."""

    read_bytes = 0

    async def stream(
        self, name: str, offset: int = 0, length: int | None = None
    ) -> AsyncIterator[bytes]:
        async for piece in super().stream(name, offset, length):
            self.read_bytes += len(piece)
            yield piece


def browser_of(world: BatchWorld, blobs: DiskBlobs | None = None) -> ResultBrowser:
    library = Library(
        clock=world.clock,
        files=None,
        sessions=None,
        blobs=world.blobs,
        parts=None,
        audit=None,  # type: ignore[arg-type]  # it has no files
    )
    return ResultBrowser(
        jobs=world.jobs, blobs=blobs or world.blobs, results=world.results, library=library
    )


async def all_of(browser: ResultBrowser, job: Job, wanted: Wanted) -> list[Screen]:
    screens = [await browser.screen(job, Place(), wanted)]
    while (following := screens[-1].following) is not None:
        screens.append(await browser.screen(job, Place.of_text(str(following)), wanted))
    return screens


async def ended_job(world: BatchWorld, lines: list[bytes]) -> Job:
    job = await world.keep_job("one", [b"{}"], state=JobState.SUCCEEDED)

    async def chunks() -> AsyncIterator[bytes]:
        yield b"".join(line + b"\n" for line in lines)

    await world.blobs.put(paths.output_lines(job.id), chunks())
    return job


def line_of(number: int) -> bytes:
    if number % 100 == 7:
        return b'{"error":{"code":13,"message":"broken"},"key":"k%d"}' % number
    return json.dumps({"response": {"text": f"answer {number}"}, "key": f"k{number}"}).encode()


async def test_screens_are_every_result_once_in_order(world: BatchWorld) -> None:
    job = await ended_job(world, [line_of(number) for number in range(1, 131)])
    screens = await all_of(browser_of(world), job, Wanted())
    assert [len(screen.results) for screen in screens] == [25, 25, 25, 25, 25, 5]
    numbers = [result.number for screen in screens for result in screen.results]
    assert numbers == list(range(1, 131))
    assert [(screen.first, screen.last) for screen in screens[:2]] == [(1, 25), (26, 50)]


@pytest.mark.parametrize("count", [1000, 200_000])
async def test_a_screen_costs_the_same_whatever_the_size(
    world: BatchWorld, tmp_path: Path, count: int
) -> None:
    job = await ended_job(world, [line_of(number) for number in range(count)])
    blobs = CountedBlobs(tmp_path / "blobs")
    screen = await browser_of(world, blobs).screen(job, Place(), Wanted())
    assert len(screen.results) == browsing.ROWS
    assert blobs.read_bytes <= 2 * 1024 * 1024


async def test_a_search_ends_where_it_has_read_enough_and_goes_on_from_there(
    world: BatchWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(browsing, "SEARCHED_BYTES", 10_000)
    job = await ended_job(world, [line_of(number) for number in range(1, 1001)])
    screens = await all_of(browser_of(world), job, Wanted(failed_only=True))
    assert len(screens) > 3
    found = [result.number for screen in screens for result in screen.results]
    assert found == [7 + 100 * n for n in range(10)]
    assert screens[-1].last == 1000


@pytest.mark.parametrize("text", ["ANSWER 42", "k42", 'say "ä"', "two\nlines"])
async def test_text_is_found_as_it_reads(world: BatchWorld, text: str) -> None:
    lines = [
        line_of(42),
        json.dumps({"response": {"text": 'Say "Ä"'}}, ensure_ascii=False).encode(),
    ]
    lines += [json.dumps({"response": {"text": "two\nlines"}}).encode()]
    job = await ended_job(world, lines)
    screen = await browser_of(world).screen(job, Place(), Wanted(text=text))
    assert len(screen.results) == 1


async def test_results_of_a_job_that_runs_are_read_as_they_come(world: BatchWorld) -> None:
    await world.planned_job("one", 12)
    writer = world.writer()
    shard = await world.open_shard()
    browser = browser_of(world)
    assert (await browser.screen(await world.job("one"), Place(), Wanted())).results == []
    done = taken(shard)[:3]
    for index in done:
        writer.add(shard, record(index))
    await writer.step()
    first = await browser.screen(await world.job("one"), Place(), Wanted())
    assert len(first.results) == 3
    assert {result.number for result in first.results} == {index + 1 for index in done}
    assert first.following is None


async def test_a_request_is_found_by_its_number(world: BatchWorld) -> None:
    job = await world.keep_job("one", [b'{"a":1}\n\n', b'{"b":2}\n{"c":3}'], input_file=None)
    browser = browser_of(world)
    found = [await browser.request(job, number) for number in range(1, 5)]
    assert found == [b'{"a":1}', b'{"b":2}', b'{"c":3}', None]


@pytest.mark.parametrize("text", ["", "1", "1.2", "a.b.c", "-1.0.0", "1.2.3.4"])
def test_a_place_of_another_make_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument):
        Place.of_text(text)
