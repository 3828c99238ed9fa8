"""Builds the side of a server that works: engines, the pipeline, and the door to the engines."""

from collections.abc import Sequence
from dataclasses import asdict

import msgspec

from toplu.api.http.metrics import Metrics
from toplu.batch.chains.waves import Waves
from toplu.batch.janitor import Janitor
from toplu.batch.pipeline import Pipeline
from toplu.batch.plan.planner import Orderer, Planner
from toplu.batch.provenance.model_facts import FactReader
from toplu.batch.provenance.provenance import Provenance
from toplu.batch.results.assembler import Assembler
from toplu.batch.reuse.kept_answers import KeptAnswers
from toplu.batch.reuse.reuse import Reuse
from toplu.batch.run.executors import executor_of
from toplu.batch.run.result_writer import ResultWriter
from toplu.batch.run.runner import Runner
from toplu.batch.schedule.scheduler import Scheduler
from toplu.batch.schedule.throughput import Throughputs
from toplu.batch.sweeper import Sweeper
from toplu.caches.keeper import CacheKeeper
from toplu.files.attachments import Attachments
from toplu.fleet.fleet import Fleet
from toplu.metrics.measured import RECENT
from toplu.models.catalogue import Catalogue
from toplu.monitoring.engines import EngineFigures
from toplu.monitoring.exporter import Exporter
from toplu.replica import Replica
from toplu.settings.model import ModelSettings
from toplu.store.rows.holdings import read_holdings
from toplu.tools.grounding import Grounder
from toplu.wiring.couriers import build_couriers
from toplu.wiring.door import build_door
from toplu.wiring.shared_parts import SharedParts, build_deletion
from toplu.workers.dead_workers import DeadWorkers
from toplu.workers.heartbeat import Heartbeat
from toplu.workers.lanes_at_work import LanesAtWork
from toplu.workers.steps import Steps

ID_LENGTH = 16


class Worker:
    """The engines, the pipeline that keeps them busy, and the door at which they are called."""

    def __init__(
        self,
        parts: SharedParts,
        grounder: Grounder,
        *,
        worker_id: str,
        models: Sequence[ModelSettings],
        door: str | None = None,
    ) -> None:
        self._parts = parts
        self.id = worker_id  # the owner of its leases
        self._models = models  # that have replicas here
        self._door_address = door  # if others may come to it: a path, or a URL
        prefixes = parts.storage.lives.prefixes_of(worker_id)
        self.fleet = Fleet(parts.settings, Catalogue(models), parts.clock, grounder, prefixes)
        self._attachments = Attachments(settings=parts.settings, library=parts.library)
        self._caches = self._cache_keeper()
        self.figures = EngineFigures(self.fleet)
        self.metrics = Metrics(Exporter(parts.process, [self.figures.read]))
        self.door = build_door(parts, self.fleet, self._attachments, self._caches, self.metrics)
        self._speeds = Throughputs()
        self._windows: dict[str, int] = {}  # by model
        self._at_work = LanesAtWork(self.id)
        self._heartbeat = self._build_heartbeat()
        self._steps = self._build_steps()
        self._kept = KeptAnswers(
            settings=parts.settings,
            clock=parts.clock,
            rows=parts.storage.reuse,
            blobs=parts.storage.blobs,
        )
        self._scheduler = self._build_scheduler()
        self.pipeline = self._pipeline(self._writer())
        self.fleet.when_changed(parts.signals.engine_changed.set)

    def _writer(self) -> ResultWriter:
        parts = self._parts
        return ResultWriter(
            settings=parts.settings,
            clock=parts.clock,
            jobs=parts.storage.jobs,
            results=parts.storage.results,
            done=parts.signals.complete,
            terms=parts.terms,
            speeds=self._speeds,
            faults=parts.faults,
            at_work=self._at_work,
        )

    def _pipeline(self, writer: ResultWriter) -> Pipeline:
        parts = self._parts
        return Pipeline(
            drain_seconds=parts.settings.drain_seconds,
            signals=parts.signals,
            fleet=self.fleet,
            planner=self._planner(),
            orderer=self._orderer(),
            runners=[self._runner(model, writer) for model in self._models],
            writer=writer,
            assembler=self._assembler(),
            couriers=build_couriers(parts, self.id),
            janitor=self._janitor(),
            heartbeat=self._heartbeat,
            dead_workers=DeadWorkers(
                clock=parts.clock,
                rows=parts.storage.workers,
                lives=parts.storage.lives,
                worker=self.id,
            ),
        )

    def _build_steps(self) -> Steps:
        parts = self._parts
        return Steps(
            clock=parts.clock, rows=parts.storage.steps, worker=self.id, faults=parts.faults
        )

    def _build_scheduler(self) -> Scheduler:
        parts = self._parts
        return Scheduler(
            settings=msgspec.structs.replace(parts.settings, models=tuple(self._models)),
            clock=parts.clock,
            jobs=parts.storage.jobs,
            owner=self.id,
            speeds=self._speeds,
            weight_of=parts.quotas.weight_of,
            terms=parts.terms,
            at_work=self._at_work,
            roster=parts.roster,
        )

    def _cache_keeper(self) -> CacheKeeper:
        parts = self._parts
        return CacheKeeper(
            settings=parts.settings,
            clock=parts.clock,
            caches=parts.storage.caches,
            library=parts.caches,
            fleet=self.fleet,
            attachments=self._attachments,
        )

    def _planner(self) -> Planner:
        parts = self._parts
        return Planner(
            settings=parts.settings,
            clock=parts.clock,
            jobs=parts.storage.jobs,
            steps=self._steps,
            blobs=parts.storage.blobs,
            planned=parts.signals.planned,
            begun=parts.signals.begun,
            faults=parts.faults,
        )

    def _orderer(self) -> Orderer:
        parts = self._parts
        orderer = Orderer(
            settings=parts.settings,
            clock=parts.clock,
            jobs=parts.storage.jobs,
            steps=self._steps,
            blobs=parts.storage.blobs,
            planned=parts.signals.planned,
            complete=parts.signals.complete,
            drop_job=parts.signals.dropped,
            faults=parts.faults,
        )
        parts.signals.when_dropped(orderer.drop_job)
        return orderer

    def _runner(self, model: ModelSettings, writer: ResultWriter) -> Runner:
        parts = self._parts
        executor = executor_of(
            model, fleet=self.fleet, attachments=self._attachments, caches=self._caches
        )
        self._windows[model.name] = executor.window
        facts = FactReader(model, parts.settings)
        runner = Runner(
            engine=model.name,
            executor=executor,
            settings=parts.settings,
            clock=parts.clock,
            scheduler=self._scheduler,
            jobs=parts.storage.jobs,
            blobs=parts.storage.blobs,
            results=parts.storage.results,
            writer=writer,
            reuse=Reuse(facts=facts, library=parts.library, kept=self._kept),
            provenance=Provenance(facts=facts, rows=parts.storage.provenance),
            is_cut_off=self._heartbeat.is_cut_off,
        )
        parts.signals.when_planned(runner.wake)
        parts.signals.when_dropped(runner.drop_job)
        parts.signals.when_paused(runner.pause_job)
        return runner

    def _build_heartbeat(self) -> Heartbeat:
        parts = self._parts
        return Heartbeat(
            clock=parts.clock,
            rows=parts.storage.workers,
            worker=self.id,
            replicas=self._replicas,
            at_work=self._at_work,
            faults=parts.faults,
            written=parts.signals.reported,
            door=self._door_address,
        )

    def _replicas(self) -> list[Replica]:
        states, reasons = self.fleet.status(), self.fleet.reasons()
        return [
            Replica(
                engine=model.name,
                state=states[model.name],
                reason=reasons.get(model.name, ""),
                lanes=model.caches,
                window=self._windows[model.name],
                work_per_second=self._speeds.of(model.name).work_per_second,
                **asdict(RECENT[model.name].read()),
            )
            for model in self._models
        ]

    def _assembler(self) -> Assembler:
        parts = self._parts
        waves = Waves(
            settings=parts.settings,
            clock=parts.clock,
            jobs=parts.storage.jobs,
            blobs=parts.storage.blobs,
            results=parts.storage.results,
            planned=parts.signals.planned,
        )
        return Assembler(
            settings=parts.settings,
            clock=parts.clock,
            jobs=parts.storage.jobs,
            steps=self._steps,
            blobs=parts.storage.blobs,
            results=parts.storage.results,
            next_wave=waves.plan_next,
            told=parts.signals.told,
            faults=parts.faults,
        )

    def _sweeper(self) -> Sweeper:
        storage = self._parts.storage
        return Sweeper(
            blobs=storage.blobs,
            jobs=storage.jobs,
            holdings=lambda: storage.database.read(read_holdings),
        )

    def _janitor(self) -> Janitor:
        parts = self._parts
        return Janitor(
            settings=parts.settings,
            clock=parts.clock,
            jobs=parts.storage.jobs,
            deliveries=parts.storage.deliveries,
            library=parts.library,
            caches=self._caches,
            blobs=parts.storage.blobs,
            results=parts.storage.results,
            audit=parts.audit,
            sweep=self._sweeper().sweep,
            drop_job=parts.signals.dropped,
            delete_projects=build_deletion(
                parts.settings, parts.clock, parts.storage, parts.signals, is_alone=False
            ).go_on,
        )
