"""A create call that comes at the wrong moment is refused as it ought to be, and leaves nothing."""

import errno
from pathlib import Path

import pytest

from support.batch.batch_world import PROJECT, BatchWorld
from toplu.batch import paths
from toplu.batch.jobs.create import JobCreation
from toplu.batch.jobs.input import JobInputs
from toplu.errors import NotFound, PermissionDenied
from toplu.files.library import Library
from toplu.files.parts.partial_file import PartialFiles
from toplu.job import Job, JobId
from toplu.store.blobs import blobs
from toplu.store.blobs.blobs import DiskBlobs
from toplu.store.rows.files import FileRows, FileSource, StoredFile
from toplu.store.rows.uploads import UploadSessions
from toplu.wire.gemini.batch import (
    GenerateContentBatch,
    InlinedRequest,
    InlinedRequests,
    InputConfig,
)
from toplu.wire.gemini.content import GenerateContentRequest


def library_of(world: BatchWorld, folder: Path) -> Library:
    return Library(
        clock=world.clock,
        files=FileRows(world.database),
        sessions=UploadSessions(world.database),
        blobs=world.blobs,
        parts=PartialFiles(folder / "uploads", world.blobs),
        audit=world.audit,
    )


async def create(world: BatchWorld, library: Library, given: InputConfig) -> Job:
    inputs = JobInputs(settings=world.settings, library=library, blobs=world.blobs)
    creation = JobCreation(inputs=inputs, admission=world.admission())
    batch = GenerateContentBatch(input_config=given)
    return await creation.create(
        project=PROJECT, model="gemini-2.5-flash", engine=world.settings.models[0].name, batch=batch
    )


async def test_results_that_go_while_they_are_looked_up_are_not_found(world: BatchWorld) -> None:
    job = await world.planned_job("one", 1)
    with pytest.raises(NotFound):
        await world.lookup().output(job)


async def test_a_file_that_goes_while_a_batch_is_made_of_it_is_missing(
    world: BatchWorld, tmp_path: Path
) -> None:
    class DeletedMeanwhile(DiskBlobs):
        async def link(self, source: str, target: str) -> None:
            await library.delete(PROJECT, "files/questions")
            await super().link(source, target)

    await world.keep_job("source", [b"{}"])
    await world.blobs.link(paths.input_lines(JobId("source")), "files/questions")
    now = world.clock.now()
    file = StoredFile(
        id="questions",
        project=PROJECT,
        display_name=None,
        mime_type="jsonl",
        size_bytes=3,
        sha256="0" * 64,
        created=now,
        updated=now,
        expires=now.replace(year=now.year + 1),
        source=FileSource.UPLOADED,
        blob="files/questions",
    )
    await FileRows(world.database).create(file, 1000)
    world.blobs = DeletedMeanwhile(tmp_path / "blobs")
    library = library_of(world, tmp_path)
    with pytest.raises(PermissionDenied):
        await create(world, library, InputConfig(file_name="files/questions"))


async def test_a_create_on_a_full_disk_leaves_nothing_behind(
    world: BatchWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def is_full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    given = InputConfig(
        requests=InlinedRequests(requests=[InlinedRequest(request=GenerateContentRequest())])
    )
    await world.keep_job("one", [b"{}"])
    with monkeypatch.context() as patch:
        # The folder of the job is there by then.
        patch.setattr(blobs, "sync_folder", is_full)
        with pytest.raises(OSError, match="No space left"):
            await create(world, library_of(world, tmp_path), given)
    assert await world.blobs.abandoned(paths.JOBS, ()) == ["one"]
    made = await create(world, library_of(world, tmp_path), given)
    assert set(await world.blobs.abandoned(paths.JOBS, ())) == {"one", made.id}
