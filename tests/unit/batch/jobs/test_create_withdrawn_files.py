"""A file that is deleted at the wrong moment is missing, and no fault of the server."""

from pathlib import Path

import pytest

from support.batch.batch_world import PROJECT, BatchWorld
from toplu.batch import paths
from toplu.batch.jobs.create import JobCreation
from toplu.batch.lookup import Lookup
from toplu.errors import NotFound, PermissionDenied
from toplu.files.library import Library
from toplu.files.partial_file import PartialFiles
from toplu.job import JobId
from toplu.store.blobs.blobs import DiskBlobs
from toplu.store.rows.files import FileRows, FileSource, StoredFile
from toplu.store.rows.uploads import UploadSessions
from toplu.wire.gemini.batch import GenerateContentBatch, InputConfig


async def test_results_that_go_while_they_are_looked_up_are_not_found(world: BatchWorld) -> None:
    await world.planned_job("one", 1)
    with pytest.raises(NotFound):
        await Lookup(jobs=world.jobs, blobs=world.blobs).results(JobId("one"))


async def test_a_file_that_goes_while_a_batch_is_made_of_it_is_missing(
    world: BatchWorld, tmp_path: Path
) -> None:
    files = FileRows(world.database)

    class DeletedMeanwhile(DiskBlobs):
        async def link(self, source: str, target: str) -> None:
            await library.delete(PROJECT, "files/questions")
            await super().link(source, target)

    blobs = DeletedMeanwhile(tmp_path / "blobs")
    library = Library(
        clock=world.clock,
        files=files,
        sessions=UploadSessions(world.database),
        blobs=blobs,
        parts=PartialFiles(tmp_path / "uploads"),
    )
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
    await files.create(file, 1000)
    intake = JobCreation(
        settings=world.settings, library=library, blobs=blobs, admission=world.admission()
    )
    batch = GenerateContentBatch(input_config=InputConfig(file_name="files/questions"))
    with pytest.raises(PermissionDenied):
        await intake.create(project=PROJECT, model="gemini-2.5-flash", engine="echo", batch=batch)
