"""The rows of the processes that work: who they are, what their engines are, what they are at."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Table, delete, func, insert, select

from toplu.job import JobId
from toplu.replica import EngineState, Replica
from toplu.store.rows.at_work import AtWork
from toplu.store.rows.columns import EPOCH
from toplu.store.rows.database import Database
from toplu.store.rows.deliveries import free_deliveries_of, owners_of_deliveries
from toplu.store.rows.leases import end_leases_of, owners_of_leases
from toplu.store.rows.step_holds import end_steps_of, owners_of_steps, prolong_steps
from toplu.store.rows.worker_tables import at_work, faults, replicas, workers

__all__ = ["AtWork"]

NOBODY = ""


def database_time(connection: Connection) -> datetime:
    """Return the time of the database's own clock, which is the same to all who ask."""
    moment: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
    return moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """A process that works."""

    id: str  # the owner of its leases
    door: str | None = None  # where it takes interactive calls; None: from nobody
    started: datetime
    seen: datetime  # when it last wrote this


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All that a worker says of itself."""

    worker: Worker
    replicas: Sequence[Replica] = ()
    at_work: Sequence[AtWork] = ()
    faults: Mapping[JobId, str] = field(default_factory=dict)  # why jobs cannot be written


class WorkerRows:
    """Keeps what each worker reported last."""

    def __init__(
        self,
        database: Database,
        *,
        life: timedelta | None = None,
        now: Callable[[Connection], datetime] = database_time,
    ) -> None:
        self._database = database
        self._life = life  # of a worker that reports no more; None: locked files have to say it
        self._now = now  # where there is a life: one clock for workers of all machines

    @property
    def are_shared(self) -> bool:
        """Whether workers of other machines may be among them."""
        return self._life is not None

    async def report(self, report: Report) -> None:
        """Replace all that is known of the worker, and keep its steps from lapsing."""

        def write(connection: Connection) -> None:
            worker = report.worker
            if self._life is not None:
                worker = replace(worker, seen=self._now(connection))
            _write(connection, replace(report, worker=worker))

        await self._database.write(write, locks_rows=True)

    async def reports(self) -> list[Report]:
        """Return what every worker that is not silent reported last, by age."""
        return await self._database.read(
            lambda c: [it for it in _read(c) if it.worker.seen > self._silent_since(c)]
        )

    async def silent(self) -> set[str]:
        """Return the workers that hold something and have not reported for longer than a life."""

        def read(connection: Connection) -> set[str]:
            heard = select(workers.c.id).where(workers.c.seen > self._silent_since(connection))
            return _owners(connection).difference(connection.scalars(heard))

        return await self._database.read(read)

    async def owners(self) -> set[str]:
        """Return the id of every worker that holds anything, whether or not it reports."""
        return await self._database.read(_owners)

    async def end(self, dead: Collection[str]) -> int:
        """End all that dead workers hold; return how many leases there were."""
        return await self._database.write(lambda c: _end(c, dead), locks_rows=True)

    def _silent_since(self, connection: Connection) -> datetime:
        return EPOCH if self._life is None else self._now(connection) - self._life

    async def touch(self) -> None:
        """Write what changes nothing; raise the OSError that keeps anything from being written."""
        await self._database.write(_touch, locks_rows=True)


def _touch(connection: Connection) -> None:
    # A value that is the same again would not be written at all.
    connection.execute(insert(faults).values(worker=NOBODY, job=NOBODY, reason=""))
    connection.execute(delete(faults).where(faults.c.worker == NOBODY))


def _write(connection: Connection, report: Report) -> None:
    _forget(connection, [report.worker.id])
    of_worker = {"worker": report.worker.id}
    rows: dict[Table, list[dict[str, Any]]] = {
        workers: [asdict(report.worker)],
        replicas: [asdict(replica) | of_worker for replica in report.replicas],
        at_work: [asdict(it) for it in report.at_work],
        faults: [{"job": job, "reason": it} | of_worker for job, it in report.faults.items()],
    }
    for table, values in rows.items():
        if values:
            connection.execute(insert(table), values)
    prolong_steps(connection, report.worker.id, report.worker.seen)


def _forget(connection: Connection, ids: Collection[str]) -> None:
    connection.execute(delete(workers).where(workers.c.id.in_(ids)))
    for table in (replicas, at_work, faults):
        connection.execute(delete(table).where(table.c.worker.in_(ids)))


def _read(connection: Connection) -> list[Report]:
    rows = {
        table: list(connection.execute(select(table)).mappings())
        for table in (workers, replicas, at_work, faults)
    }

    def of(worker: Worker) -> Report:
        mine = {
            table: [row for row in rows[table] if row["worker"] == worker.id]
            for table in (replicas, at_work, faults)
        }
        return Report(
            worker=worker,
            replicas=[_replica_of(dict(row)) for row in mine[replicas]],
            at_work=[AtWork(**row) for row in mine[at_work]],
            faults={JobId(row["job"]): row["reason"] for row in mine[faults]},
        )

    known = [Worker(**row) for row in rows[workers]]
    return [of(worker) for worker in sorted(known, key=lambda it: (it.started, it.id))]


def _replica_of(row: dict[str, Any]) -> Replica:
    del row["worker"]
    return Replica(**row | {"state": EngineState(row["state"])})


def _owners(connection: Connection) -> set[str]:
    reported = {row.id for row in connection.execute(select(workers.c.id))}
    held = (owners_of_leases, owners_of_steps, owners_of_deliveries)
    return reported.union(*(owners(connection) for owners in held))


def _end(connection: Connection, dead: Collection[str]) -> int:
    _forget(connection, dead)
    end_steps_of(connection, dead)
    free_deliveries_of(connection, dead)
    return end_leases_of(connection, dead)
