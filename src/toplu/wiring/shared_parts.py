"""Builds what the side of a server that answers calls shares with the side that works."""

from dataclasses import dataclass
from typing import Self

from toplu.batch.signals import Ring, Signals, ring_nobody
from toplu.caches.library import CacheLibrary
from toplu.clock import Clock
from toplu.files.library import Library
from toplu.models.catalogue import Catalogue
from toplu.projects.audit_log import AuditLog
from toplu.projects.quotas import Quotas
from toplu.settings.server import Settings
from toplu.wiring.storage import Storage
from toplu.workers.roster import Roster
from toplu.workers.storage_faults import StorageFaults


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedParts:
    """The parts that both sides have: what is durable, and how they tell each other of changes."""

    settings: Settings
    clock: Clock
    storage: Storage
    catalogue: Catalogue
    audit: AuditLog
    quotas: Quotas
    library: Library
    caches: CacheLibrary
    signals: Signals
    faults: StorageFaults
    roster: Roster

    @classmethod
    def build(
        cls, *, settings: Settings, clock: Clock, storage: Storage, ring: Ring = ring_nobody
    ) -> Self:
        """Return the parts, none of them started; `ring` has other processes hear signals."""
        signals = Signals(ring)
        roster = Roster(clock=clock, rows=storage.workers, lives=storage.lives.lives)
        signals.when_reported(roster.forget)
        faults = StorageFaults()
        signals.when_dropped(faults.clear)
        audit = AuditLog(clock=clock, rows=storage.audit)
        return cls(
            settings=settings,
            clock=clock,
            storage=storage,
            catalogue=Catalogue(settings.models),
            audit=audit,
            quotas=Quotas(settings=settings, clock=clock, rows=storage.projects),
            library=Library(
                clock=clock,
                files=storage.files,
                sessions=storage.uploads,
                blobs=storage.blobs,
                parts=storage.partial_files,
                audit=audit,
            ),
            caches=CacheLibrary(clock=clock, caches=storage.caches, deleted=signals.deleted.set),
            signals=signals,
            faults=faults,
            roster=roster,
        )
