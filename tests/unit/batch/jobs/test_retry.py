"""The requests that a job left run again, and nothing else, byte for byte."""

import errno
import hashlib

import pytest

from support.batch.batch_world import PROJECT, BatchWorld, line_of, result_of, taken
from toplu.batch import line_reader, paths
from toplu.batch.jobs import client_lines, retry
from toplu.batch.jobs.retry import Rest
from toplu.errors import FailedPrecondition, NotFound, ResourceExhausted, TopluError
from toplu.job import Job, JobId, JobState
from toplu.store.blobs import blobs

ONE = JobId("one")


async def job_with(world: BatchWorld, lines: list[bytes], outcomes: dict[int, bool]) -> None:
    """Keep a job and give those of its requests an outcome."""
    await world.keep_job("one", lines)
    await world.planner().step()
    writer = world.writer()
    for _ in await world.jobs.shards(ONE):
        shard = await world.open_shard()
        for index in sorted(outcomes.keys() & set(taken(shard))):
            writer.add(shard, result_of(index, succeeded=outcomes[index]))
    await writer.step()


async def retried(world: BatchWorld, name: str | None = None) -> Job:
    rest = Rest(job=await world.job("one"), engine=world.settings.models[0].name)
    return await world.retries().create_batch([rest], display_name=name)


async def refusal(world: BatchWorld) -> str:
    before = set(await world.blobs.abandoned(paths.JOBS, ()))
    with pytest.raises(TopluError) as refused:
        await retried(world)
    assert isinstance(refused.value, FailedPrecondition), refused.value
    assert set(await world.blobs.abandoned(paths.JOBS, ())) == before, (
        "a refusal leaves nothing behind"
    )
    return refused.value.message


async def input_of(world: BatchWorld, job: Job) -> bytes:
    return b"".join([piece async for piece in world.blobs.stream(paths.input_lines(job.id))])


@pytest.mark.parametrize("group_bytes", [10**6, 100, 1])
async def test_failed_and_unreached_lines_run_again_as_they_were(
    world: BatchWorld, monkeypatch: pytest.MonkeyPatch, group_bytes: int
) -> None:
    monkeypatch.setattr(retry, "GROUP_BYTES", group_bytes)
    lines = [line_of(0), b"", b'{ "bad" ]', line_of(2) + b"  ", line_of(3)]
    await job_with(world, lines, {0: True, 1: False, 3: True})
    await world.jobs.move(ONE, JobState.CANCELLED, world.clock.now())
    made = await retried(world)
    content = await input_of(world, made)
    assert content == b'{ "bad" ]\n' + line_of(2) + b"  \n"
    assert made.input_sha256 == hashlib.sha256(content).hexdigest()
    assert (made.counts.total, made.state, made.retry_of) == (2, JobState.PENDING, ONE)
    assert (await world.job("one")).retried_by == made.id
    assert made.model == "gemini-2.5-flash"


async def test_a_job_that_succeeded_runs_its_failures_again(world: BatchWorld) -> None:
    await job_with(world, [line_of(index) for index in range(3)], {0: True, 1: False, 2: True})
    await world.assembler().step()
    made = await retried(world, "second try")
    assert await input_of(world, made) == line_of(1) + b"\n"
    assert made.display_name == "second try"


class Pairs:
    """Lines of a client's that are two requests each, the first of them marked."""

    def requests_of(self, line: bytes) -> int:
        return 2 if line.startswith(b'{"first"') else 0

    def details(self, job: Job, lines: int) -> bytes:
        return f"{job.id} {lines}".encode()


@pytest.mark.parametrize("group_lines", [1000, 3, 1])
async def test_a_line_of_which_a_request_is_left_runs_again_whole(
    world: BatchWorld, monkeypatch: pytest.MonkeyPatch, group_lines: int
) -> None:
    monkeypatch.setattr(client_lines, "GROUP_LINES", group_lines)
    lines = [b'{"first": %d}' % it if it % 2 == 0 else line_of(it) for it in range(8)]
    outcomes = {0: True, 1: True, 2: True, 3: False, 4: False, 5: True, 6: True}
    await job_with(world, lines, outcomes)
    await world.jobs.move(ONE, JobState.CANCELLED, world.clock.now())
    rest = Rest(job=await world.job("one"), engine=world.settings.models[0].name)
    made = await world.retries().create_batch([rest], lines=Pairs())
    assert await input_of(world, made) == b"".join(line + b"\n" for line in lines[2:])
    assert (made.counts.total, made.wire_details) == (6, b"one 3")


async def test_a_job_without_failures_has_nothing_to_run(world: BatchWorld) -> None:
    await job_with(world, [line_of(0)], {0: True})
    assert "has ended" in await refusal(world)
    await world.assembler().step()
    assert "nothing to run again" in await refusal(world)


async def test_a_cancelled_job_with_every_response_has_nothing_to_run(world: BatchWorld) -> None:
    await job_with(world, [line_of(0)], {0: True})
    await world.jobs.move(ONE, JobState.CANCELLED, world.clock.now())
    assert "nothing to run again" in await refusal(world)


async def test_an_input_that_is_gone_is_an_error(world: BatchWorld) -> None:
    await job_with(world, [line_of(0)], {})
    await world.jobs.move(ONE, JobState.CANCELLED, world.clock.now())
    await world.blobs.delete(paths.input_lines(ONE))
    assert "its input is kept no more" in await refusal(world)


async def test_what_is_run_again_already_is_not_paid_for_twice(world: BatchWorld) -> None:
    await job_with(world, [line_of(0)], {})
    await world.jobs.move(ONE, JobState.CANCELLED, world.clock.now())
    first = await retried(world)
    assert str(first.id) in await refusal(world)
    await world.jobs.mark_deleted(PROJECT, first.id, world.clock.now())
    assert (await world.job("one")).retried_by is None
    second = await retried(world)
    assert (await world.job("one")).retried_by == second.id


async def test_a_job_that_was_deleted_meanwhile_is_missing(world: BatchWorld) -> None:
    await job_with(world, [line_of(0)], {})
    await world.jobs.move(ONE, JobState.CANCELLED, world.clock.now())
    job = await world.job("one")
    await world.jobs.mark_deleted(PROJECT, ONE, world.clock.now())
    with pytest.raises(NotFound):
        await world.retries().create_batch([Rest(job=job, engine=world.settings.models[0].name)])


async def test_quotas_hold_as_at_create(world: BatchWorld) -> None:
    await job_with(world, [line_of(0)], {})
    await world.jobs.move(ONE, JobState.CANCELLED, world.clock.now())
    for index in range(world.settings.concurrent_batches_max):
        await world.keep_job(f"other-{index}", [b"{}"])
    with pytest.raises(ResourceExhausted):
        await retried(world)
    assert (await world.job("one")).retried_by is None


async def test_lines_are_chosen_by_the_number_of_their_request(world: BatchWorld) -> None:
    await world.keep_job("one", [b"a", b"", b"b", b"\r", b"c"])
    groups = line_reader.span_groups(
        world.blobs, paths.input_lines(ONE), lines_max=1, bytes_max=9, wants=lambda it: it != 1
    )
    assert [[span.number for span in group] async for group in groups] == [[1], [5]]


async def test_a_retry_on_a_full_disk_leaves_nothing_behind(
    world: BatchWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    await job_with(world, [line_of(0), line_of(1)], {0: True, 1: False})
    assert await world.jobs.move(ONE, JobState.CANCELLED, world.clock.now()) is not None

    def is_full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        # The last step of an adoption: the bytes have their name by then.
        patch.setattr(blobs, "sync_folder", is_full)
        with pytest.raises(OSError, match="No space left"):
            await retried(world)
    assert await world.blobs.abandoned(paths.JOBS, ()) == ["one"]
    assert await input_of(world, await retried(world)) == line_of(1) + b"\n"
