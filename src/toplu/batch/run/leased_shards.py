"""The book of the shards that one engine's lanes have leased, from lease to last result."""

from collections.abc import Iterator

import structlog

from toplu.batch.failure import fail_job
from toplu.batch.loop import Wakeups
from toplu.batch.run.leased_shard import LeasedShard
from toplu.batch.run.result_writer import ResultWriter
from toplu.batch.schedule.scheduler import Scheduler
from toplu.clock import Clock
from toplu.errors import Internal, TopluError
from toplu.job import Job, JobId, Lease
from toplu.settings.server import Settings
from toplu.store.blobs.blobs import Blobs
from toplu.store.blobs.results import Results
from toplu.store.rows.jobs import JobRows
from toplu.tracing import names
from toplu.tracing.spans import SPANS

log = structlog.get_logger()


class LeasedShards:
    """Opens what is leased, keeps the leases alive, and gives them back."""

    def __init__(
        self,
        *,
        share_cache: bool,
        settings: Settings,
        clock: Clock,
        scheduler: Scheduler,
        jobs: JobRows,
        blobs: Blobs,
        results: Results,
        writer: ResultWriter,
        wakeups: Wakeups,
    ) -> None:
        self._share_cache = share_cache
        self._settings = settings
        self._clock = clock
        self._scheduler = scheduler
        self._jobs = jobs
        self._blobs = blobs
        self._results = results
        self._writer = writer
        self._wakeups = wakeups  # set when a shard may be leased again
        self._shards: list[LeasedShard] = []
        self._opening: set[Lease] = set()  # leased, and not yet among the shards
        self._paused: set[Lease] = set()  # of these, those whose jobs were paused meanwhile

    def __iter__(self) -> Iterator[LeasedShard]:
        return iter(self._shards)

    def of_job(self, job: JobId) -> list[LeasedShard]:
        """Return the shards of the job."""
        return [shard for shard in self._shards if shard.lease.job.id == job]

    @property
    def unstarted(self) -> int:
        """The number of requests that are still to be started."""
        return sum(shard.unstarted for shard in self._shards)

    async def open(self, lease: Lease) -> LeasedShard | None:
        """Enter the leased shard; None if its job is over, or has failed for its input is gone.

        Raises what reading raises; the shard is given back then.
        """
        self._opening.add(lease)
        try:
            shard = await LeasedShard.open(
                lease,
                blobs=self._blobs,
                results=self._results,
                settings=self._settings,
                share_cache=self._share_cache,
            )
        except FileNotFoundError:
            await self._fail_job(lease.job, Internal("The input of the batch is gone."))
            return None
        except Exception:
            # Too many open files, say, which passes: the shard is free for the next try.
            await self._scheduler.give_back(lease)
            raise
        finally:
            dropped, paused = lease not in self._opening, lease in self._paused
            self._opening.discard(lease)
            self._paused.discard(lease)
        if paused and not dropped:
            await self._scheduler.give_back(lease)
        if paused or dropped:
            return None
        shard.traced = SPANS.step(
            "run shard",
            lease.job.id,
            {names.SHARD: lease.shard.number, names.REQUESTS: shard.unstarted},
        )
        self._shards.append(shard)
        if shard.has_earlier_results:
            self._writer.note(shard)
        return shard

    def release(self, shard: LeasedShard, lane: int) -> None:
        """Leave what the lane has not started of the shard to others."""
        log.info(
            "shard_put_down", job=shard.lease.job.id, shard=shard.lease.shard.number, lane=lane
        )
        shard.release(self._wakeups.set)
        self._writer.note(shard)

    async def settle(self) -> None:
        """Forget what has ended, and give back what was released and is durable."""
        self._forget_ended()
        for shard in [shard for shard in self._shards if shard.is_settled]:
            await self._scheduler.give_back(shard.lease)
            shard.drop()

    async def give_up(self, shard: LeasedShard, error: TopluError) -> None:
        """Fail the job of the shard: its engine does not start."""
        try:
            await self._fail_job(shard.lease.job, error)
        except Exception:
            # The database is away, say. The lease lapses, and its next holder comes here again.
            log.exception("job_not_failed", job=shard.lease.job.id)
            shard.drop()

    async def _fail_job(self, job: Job, error: TopluError) -> None:
        await fail_job(self._jobs, self._clock, job.id, error)
        self.drop_job(job.id)

    def drop_job(self, job: JobId) -> None:
        """Stop the job's requests; the job has become final or is gone."""
        self._opening = {lease for lease in self._opening if lease.job.id != job}
        for shard in self.of_job(job):
            shard.drop()
        self._forget_ended()
        self._wakeups.set()

    def pause_job(self, job: JobId) -> None:
        """Begin nothing more of the job's shards, and give them back when what runs is durable."""
        self._paused |= {lease for lease in self._opening if lease.job.id == job}
        for shard in self.of_job(job):
            shard.release(self._wakeups.set)
            self._writer.note(shard)
        self._wakeups.set()

    def stop(self) -> None:
        """Stop every request that runs."""
        for shard in self._shards:
            shard.stop()

    async def renew(self) -> None:
        """Keep the leases alive, and drop the work of one that is no longer ours."""
        self._forget_ended()
        # A shard that is leased meanwhile is not among the answers, and is no less ours.
        asked = list(self._shards)
        held = await self._scheduler.renew([shard.lease for shard in asked])
        kept = {(lease.job.id, lease.shard.number) for lease in held}
        for shard in asked:
            key = shard.lease.job.id, shard.lease.shard.number
            if not shard.is_done and key not in kept:
                shard.note_lost()

    async def give_back(self) -> None:
        """Give every shard back; those that cannot be, for want of space, at the next start."""
        shards, self._shards = self._shards, []
        for shard in shards:
            shard.traced.end()
        try:
            for shard in shards:
                await self._scheduler.give_back(shard.lease)
        except OSError as fault:
            log.warning("shards_not_given_back", reason=fault.strerror)

    def _forget_ended(self) -> None:
        self._shards = [shard for shard in self._shards if not (shard.dropped or shard.is_done)]
