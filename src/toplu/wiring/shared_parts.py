"""Builds what the side of a server that answers calls shares with the side that works."""

from dataclasses import dataclass
from typing import Self

from toplu.batch.signals import Signals
from toplu.batch.storage_faults import StorageFaults
from toplu.caches.library import CacheLibrary
from toplu.clock import Clock
from toplu.files.attachments import Attachments
from toplu.files.library import Library
from toplu.fleet.fleet import Fleet
from toplu.models.catalogue import Catalogue
from toplu.projects.quotas import Quotas
from toplu.settings.server import Settings
from toplu.tools.grounding import Grounder
from toplu.wiring.storage import Storage


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedParts:
    """The parts of a server that calls and work have in common."""

    settings: Settings
    clock: Clock
    storage: Storage
    catalogue: Catalogue
    quotas: Quotas
    fleet: Fleet
    library: Library
    attachments: Attachments
    caches: CacheLibrary
    signals: Signals
    faults: StorageFaults

    @classmethod
    def build(
        cls, *, settings: Settings, clock: Clock, storage: Storage, grounder: Grounder
    ) -> Self:
        """Return the parts, none of them started."""
        catalogue = Catalogue(settings.models)
        fleet = Fleet(settings, catalogue, clock, grounder)
        library = Library(
            clock=clock,
            files=storage.files,
            sessions=storage.uploads,
            blobs=storage.blobs,
            parts=storage.partial_files,
        )
        attachments = Attachments(settings=settings, library=library)
        signals = Signals()
        faults = StorageFaults()
        signals.when_dropped(faults.clear)
        return cls(
            settings=settings,
            clock=clock,
            storage=storage,
            catalogue=catalogue,
            quotas=Quotas(settings=settings, clock=clock, rows=storage.projects),
            fleet=fleet,
            library=library,
            attachments=attachments,
            caches=CacheLibrary(
                settings=settings,
                clock=clock,
                caches=storage.caches,
                fleet=fleet,
                attachments=attachments,
            ),
            signals=signals,
            faults=faults,
        )
