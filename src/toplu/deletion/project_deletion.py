"""Deletes a project with all that it has, while servers run or not, and looks again afterwards.

    begin ──▶ step … step ──▶ look ──▶ end ──▶ settle
    keys revoked,  │            │        └─ the database written anew, the report
    nothing new    └─ rows      └─ rows and places again: what is found has another step

Each step does a bounded part of what is left, in an order that a crash at any point leaves to be
gone on with, by whoever comes first: the command called again, or a server's janitor. Two may do it
at once. Running batches end first; a worker that was writing for one may write a last time, which
is why places are looked at again until it cannot.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import structlog

from toplu.clock import Clock
from toplu.deletion.places import Places
from toplu.deletion.report import Found, Kept, Report
from toplu.errors import NotFound
from toplu.job import JobId, ProjectId
from toplu.settings.bounds import MIB
from toplu.settings.server import Settings
from toplu.store.rows.deletions import Deletion, DeletionRows, Place
from toplu.store.rows.removal import RemovalRows

log = structlog.get_logger()

PATIENCE = timedelta(seconds=60)  # for workers to let go
PAUSE = timedelta(seconds=0.2)
AFTER_THE_LONGEST_CALL = timedelta(minutes=1)
# Others wait while the database is written anew: a few seconds for so much.
REWRITTEN_BESIDE_BYTES_MAX = 64 * MIB


class ProjectDeletion:
    """Deletes projects, one at a time."""

    def __init__(
        self,
        *,
        settings: Settings,
        clock: Clock,
        deletions: DeletionRows,
        removal: RemovalRows,
        places: Places,
        drop_job: Callable[[JobId], None],
        deleted: Callable[[], None],
        is_alone: bool,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._deletions = deletions
        self._removal = removal
        self._places = places
        self._drop_job = drop_job
        self._deleted = deleted  # called when workers may have something to forget
        self._is_alone = is_alone  # no server has the folder

    async def run(self, project: ProjectId) -> Report:
        """Delete the project, or go on with it, and return the report; NotFound if there is none.

        What workers do not let go of in time is in the report, and the deletion goes on.
        """
        await self._begin(project)
        end = self._clock.now() + PATIENCE
        while True:
            while await self._step(project):
                pass
            left = await self._look(project)
            if not left:
                await self._end(project)
                break
            if self._clock.now() >= end:
                break
            self._deleted()
            await self._clock.sleep(PAUSE)
        return await self._report(project, left)

    async def go_on(self, now: datetime) -> bool:
        """Do the next step of each deletion that is not settled; return whether more is to do."""
        more = False
        for it in await self._deletions.unsettled(now):
            if await self._step(it.project):
                more = True
                if it.rewritten:  # before this came
                    await self._deletions.mark_soiled(it.project)
            elif not await self._look(it.project):
                await (self._end(it.project) if it.ended is None else self._settle(it))
        return more

    async def _begin(self, project: ProjectId) -> None:
        known = await self._deletions.find(project)
        if known is not None and not known.settled:
            return
        if await self._removal.left(project):
            await self._deletions.begin(project, self._clock.now())
            log.info("project_deletion_begun", project=project)
        elif known is None:
            raise NotFound(f"There is nothing of a project {project!r} to delete.")

    async def _step(self, project: ProjectId) -> bool:
        """Do a bounded part of each kind of thing; return whether there was any."""
        keeps_sums = self._settings.deleted_project_ledger == "sums"
        found = [
            await self._remove_files(project),
            await self._remove_jobs(project),
            await self._remove_uploads(project),
            await self._remove_caches(project),
            await self._removal.remove_others(project),
            await self._removal.remove_ledger(project, keeps_sums=keeps_sums),
            await self._removal.take_names_off(project),
        ]
        return any(found)

    async def _remove_files(self, project: ProjectId) -> bool:
        if gone := await self._removal.files(project):
            await self._removal.mark_files(project, gone)
            await self._remove_bytes([Place(kind="blob", name=it.blob) for it in gone])
            await self._removal.forget_files(project, gone)
        return bool(gone)

    async def _remove_jobs(self, project: ProjectId) -> bool:
        if gone := await self._removal.jobs(project):
            sizes = await self._sizes("job", gone)
            ended = await self._removal.mark_jobs(
                project, {JobId(name): size for name, size in sizes.items()}, self._clock.now()
            )
            for job in ended:
                self._drop_job(job.id)
            await self._remove_bytes([Place(kind="job", name=job) for job in gone])
            await self._removal.forget_jobs(gone)
        return bool(gone)

    async def _remove_uploads(self, project: ProjectId) -> bool:
        if gone := await self._removal.uploads(project):
            await self._removal.mark_uploads(project, await self._sizes("upload", gone))
            await self._remove_bytes([Place(kind="upload", name=name) for name in gone])
            await self._removal.forget_uploads(gone)
        return bool(gone)

    async def _remove_caches(self, project: ProjectId) -> bool:
        any_gone = await self._removal.remove_caches(project)
        if any_gone:
            self._deleted()
        return any_gone

    async def _sizes(self, kind: str, names: Sequence[str]) -> dict[str, int]:
        def measure() -> dict[str, int]:
            return {
                name: self._places.measure(Place(kind=kind, name=name)).size_bytes for name in names
            }

        return await asyncio.to_thread(measure)

    async def _remove_bytes(self, places: Sequence[Place]) -> None:
        def remove() -> None:
            for place in places:
                self._places.remove(place)

        await asyncio.to_thread(remove)

    async def _look(self, project: ProjectId) -> list[Found]:
        """Look at every table and every place again; remove what came late, and return it."""
        rows = await self._removal.left(project)
        left = [Found(kind=f"rows of {name}", count=count) for name, count in rows.items()]
        after = None
        while places := await self._deletions.places(project, after):
            left += await asyncio.to_thread(self._look_at, places)
            after = places[-1]
        await asyncio.to_thread(self._places.sync)
        return left

    def _look_at(self, places: Sequence[Place]) -> list[Found]:
        found = []
        for place in places:
            late = self._places.measure(place)
            if late.files:
                self._places.remove(place)
                kind = f"files of {place.kind} {place.name}"
                found.append(Found(kind=kind, count=late.files, size_bytes=late.size_bytes))
        return found

    async def _end(self, project: ProjectId) -> None:
        it = await self._deletions.find(project)
        if it is None or it.settled:
            return
        rewritten = it.rewritten or await self._rewrite()
        if it.ended is None:
            await self._removal.remove_copies(project)
            now = self._clock.now()
            await self._deletions.end(project, now, until=now + self._grace, rewritten=rewritten)
            log.info("project_deleted", project=project)
        if self._is_alone:
            await self._deletions.settle(project, rewritten=rewritten)

    @property
    def _grace(self) -> timedelta:
        """The time that calls may still take which had begun before."""
        if self._is_alone:
            return timedelta()
        return timedelta(seconds=self._settings.request_seconds_max) + AFTER_THE_LONGEST_CALL

    async def _settle(self, it: Deletion) -> None:
        rewritten = it.rewritten or await self._rewrite()
        await self._deletions.settle(it.project, rewritten=rewritten)

    async def _rewrite(self) -> bool:
        return await self._deletions.rewrite(None if self._is_alone else REWRITTEN_BESIDE_BYTES_MAX)

    async def _report(self, project: ProjectId, left: Sequence[Found]) -> Report:
        it = await self._deletions.find(project)
        assert it is not None, "it has begun"
        rows = await self._removal.kept(project)
        days = self._settings.audit_life_seconds / 86400
        kept = [
            Kept(
                kind="ledger sums",
                count=rows["ledger"],
                reason="tokens and cost by model and day, without labels, for the bill "
                "(deleted_project_ledger)",
            ),
            Kept(
                kind="audit entries",
                count=rows["audit"],
                reason=f"who did what, without the names of files, for {days:g} days "
                "(audit_life_seconds)",
            ),
            Kept(kind="name", count=1, reason="of the project, with this report"),
        ]
        return Report(
            project=project,
            actor=it.actor,
            begun=it.begun,
            ended=it.ended,
            looked=self._clock.now(),
            removed=it.removed,
            kept=[each for each in kept if each.count],
            left=left,
            notes=await asyncio.to_thread(self._notes, it),
        )

    def _notes(self, it: Deletion) -> list[str]:
        notes = ["Backups that were taken before still have the project."]
        if it.ended is not None and not it.rewritten:
            notes.append(self._deletions.traces)
        if it.until is not None and not it.settled:
            notes.append(
                "Calls that had begun before may still leave entries in the ledger; they are "
                f"looked for again, and removed, at {it.until:%H:%M} UTC."
            )
        if (writing := self._places.unfinished()).files:
            notes.append(
                f"{writing.files} files of {writing.size_bytes} bytes are being written, of "
                "whatever project; what is left of such goes when the server starts next."
            )
        if self._places.has_backup():
            notes.append("A backup is being taken: it holds files by second names until its end.")
        return notes
