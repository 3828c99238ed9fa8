"""The time of the janitor's next round."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from support.batch.batch_world import PROJECT, BatchWorld
from support.store.read_only import read_only
from toplu.batch.janitor import ROUND, Janitor
from toplu.batch.loop import AFTER_A_FAULT
from toplu.caches.keeper import CacheKeeper
from toplu.files.library import Library
from toplu.files.parts.partial_file import PartialFiles
from toplu.job import JobId, JobState
from toplu.settings.server import Settings
from toplu.store.rows.caches import CacheRows
from toplu.store.rows.deliveries import DeliveryRows
from toplu.store.rows.files import FileRows
from toplu.store.rows.uploads import UploadSessions

SECOND = timedelta(seconds=1)


async def nothing_to_delete(_now: datetime) -> bool:
    return False


async def nothing_to_sweep(_: datetime) -> None:
    pass


def janitor_of(world: BatchWorld, folder: Path, settings: Settings | None = None) -> Janitor:
    library = Library(
        clock=world.clock,
        files=FileRows(world.database),
        sessions=UploadSessions(world.database),
        blobs=world.blobs,
        parts=PartialFiles(folder / "uploads", world.blobs),
        audit=world.audit,
    )
    # Caches are only forgotten here: nothing reads one for an engine.
    nobody: Any = None
    caches = CacheKeeper(
        settings=world.settings,
        clock=world.clock,
        caches=CacheRows(world.database),
        library=nobody,
        fleet=nobody,
        attachments=nobody,
    )
    return Janitor(
        settings=settings or world.settings,
        clock=world.clock,
        jobs=world.jobs,
        deliveries=DeliveryRows(world.database),
        library=library,
        caches=caches,
        blobs=world.blobs,
        results=world.results,
        audit=world.audit,
        sweep=nothing_to_sweep,
        drop_job=lambda _: None,
        delete_projects=nothing_to_delete,
    )


async def test_with_nothing_to_expire_it_comes_every_half_minute(
    world: BatchWorld, tmp_path: Path
) -> None:
    assert await janitor_of(world, tmp_path).step() == ROUND
    await world.keep_job("one", [b"{}"])
    assert await janitor_of(world, tmp_path).step() == ROUND


async def test_it_comes_when_the_next_batch_expires(world: BatchWorld, tmp_path: Path) -> None:
    expires = world.clock.now() + 7 * SECOND
    await world.keep_job("one", [b"{}"], expires=expires)
    janitor = janitor_of(world, tmp_path)
    wait = await janitor.step()
    assert world.clock.now() + wait == expires
    world.clock.advance(wait)
    assert await janitor.step() == ROUND
    assert (await world.job("one")).state is JobState.EXPIRED


async def test_what_is_over_is_not_waited_for(world: BatchWorld, tmp_path: Path) -> None:
    await world.keep_job("one", [b"{}"], expires=world.clock.now() + 7 * SECOND)
    await world.jobs.mark_deleted(PROJECT, JobId("one"), world.clock.now())
    assert await janitor_of(world, tmp_path).step() == ROUND


async def test_a_batch_of_a_short_life_that_is_made_meanwhile_is_not_missed(
    world: BatchWorld, tmp_path: Path
) -> None:
    settings = Settings(job_life_seconds=3.0)
    assert await janitor_of(world, tmp_path, settings).step() == 3 * SECOND


async def test_on_a_full_disk_it_gives_space_back_before_rows_are_written(
    world: BatchWorld, tmp_path: Path
) -> None:
    await world.keep_job("over", [b"{}"], expires=world.clock.now())
    for name in ("one", "two"):
        await world.keep_job(name, [b"{}"])
        await world.jobs.mark_deleted(PROJECT, JobId(name), world.clock.now())
    janitor = janitor_of(world, tmp_path)
    async with read_only(world.database):
        assert await janitor.step() == AFTER_A_FAULT
    assert await world.blobs.abandoned("jobs", ()) == ["over"]
    assert (await world.job("over")).state is JobState.PENDING
    await janitor.step()
    assert (await world.job("over")).state is JobState.EXPIRED
    assert await world.jobs.deleted() == []
