"""The sweeper removes what no row names, once a day, where bytes are in a bucket."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

from support.batch.batch_world import BatchWorld
from support.batch.far_blobs import FarBlobs
from toplu.batch.sweeper import PAUSE, Sweeper
from toplu.store.blobs.blobs import DiskBlobs
from toplu.store.rows.holdings import Holdings, read_holdings


async def one_byte() -> AsyncIterator[bytes]:
    yield b"x"


def sweeper_of(world: BatchWorld, blobs: DiskBlobs) -> Sweeper:
    async def holdings() -> Holdings:
        return await world.database.read(read_holdings)

    return Sweeper(blobs=blobs, jobs=world.jobs, holdings=holdings)


async def test_what_no_row_names_goes_and_the_rest_stays(world: BatchWorld, tmp_path: Path) -> None:
    blobs = FarBlobs(tmp_path / "far")
    await world.keep_job("one", [b"{}"])
    for name in ("jobs/one/a", "jobs/two/a", "files/nobodys/list"):
        await blobs.put(name, one_byte())
    await sweeper_of(world, blobs).sweep(world.clock.now())
    sizes = [
        await blobs.size(f"{name}") for name in ("jobs/one/a", "jobs/two/a", "files/nobodys/list")
    ]
    assert sizes == [1, None, None]


async def test_it_looks_once_a_day_and_not_into_a_folder(world: BatchWorld, tmp_path: Path) -> None:
    blobs = FarBlobs(tmp_path / "far")
    sweeper, now = sweeper_of(world, blobs), world.clock.now()
    for at in (now, now + timedelta(hours=23), now + PAUSE):
        await sweeper.sweep(at)
    assert blobs.looks == 4
    await world.blobs.put("jobs/nobodys/a", one_byte())
    await sweeper_of(world, world.blobs).sweep(now)
    assert await world.blobs.size("jobs/nobodys/a") == 1
