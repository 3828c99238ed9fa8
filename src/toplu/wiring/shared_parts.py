"""Builds what the side of a server that answers calls shares with the side that works."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from toplu.batch.signals import Ring, Signals, ring_nobody
from toplu.caches.library import CacheLibrary
from toplu.clock import Clock
from toplu.deletion.places import Places
from toplu.deletion.project_deletion import ProjectDeletion
from toplu.files.library import Library
from toplu.models.catalogue import Catalogue
from toplu.projects.audit_log import AuditLog
from toplu.projects.quotas import Quotas
from toplu.projects.terms_book import TermsBook
from toplu.settings.server import Settings
from toplu.store.data_folder import DataFolder
from toplu.webhooks.key_set import KeySet
from toplu.webhooks.library import Webhooks
from toplu.webhooks.vault import Vault
from toplu.wiring.storage import Storage
from toplu.workers.roster import Roster
from toplu.workers.storage_faults import StorageFaults

ISSUER = "toplu"  # of tokens, where no public_url is set


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedParts:
    """The parts that both sides have: what is durable, and how they tell each other of changes."""

    process: str  # its name among those of its server
    settings: Settings
    clock: Clock
    storage: Storage
    catalogue: Catalogue
    audit: AuditLog
    quotas: Quotas
    terms: TermsBook
    library: Library
    caches: CacheLibrary
    signals: Signals
    faults: StorageFaults
    roster: Roster
    vault: Vault
    webhooks: Webhooks
    key_set: KeySet

    @classmethod
    def build(
        cls,
        *,
        settings: Settings,
        clock: Clock,
        storage: Storage,
        process: str = "server",
        ring: Ring = ring_nobody,
    ) -> Self:
        """Return the parts, none of them started; `ring` has other processes hear signals."""
        signals = Signals(ring)
        roster = roster_of(clock, storage)
        signals.when_reported(roster.forget)
        faults = StorageFaults()
        vault = vault_of(settings)
        signals.when_dropped(faults.clear)
        audit = AuditLog(clock=clock, rows=storage.audit)
        quotas = Quotas(settings=settings, clock=clock, rows=storage.projects)
        return cls(
            process=process,
            settings=settings,
            clock=clock,
            storage=storage,
            catalogue=Catalogue(settings.models),
            audit=audit,
            quotas=quotas,
            terms=TermsBook(clock=clock, quotas=quotas, rows=storage.spent),
            library=_library(clock, storage, audit),
            caches=CacheLibrary(clock=clock, caches=storage.caches, deleted=signals.deleted.set),
            signals=signals,
            faults=faults,
            roster=roster,
            vault=vault,
            webhooks=webhooks_of(settings, clock, storage, told=signals.told.set),
            key_set=_key_set(settings, clock, storage, vault),
        )


def roster_of(clock: Clock, storage: Storage) -> Roster:
    """Return what reads which workers are there."""
    if storage.workers.are_shared:
        return Roster(clock=clock, rows=storage.workers)
    return Roster(clock=clock, rows=storage.workers, lives=storage.lives.lives)


def _key_set(settings: Settings, clock: Clock, storage: Storage, vault: Vault) -> KeySet:
    return KeySet(
        clock=clock, rows=storage.secrets, vault=vault, issuer=settings.public_url or ISSUER
    )


def _library(clock: Clock, storage: Storage, audit: AuditLog) -> Library:
    return Library(
        clock=clock,
        files=storage.files,
        sessions=storage.uploads,
        blobs=storage.blobs,
        parts=storage.partial_files,
        audit=audit,
    )


def vault_of(settings: Settings) -> Vault:
    """Return what seals the secrets of a data folder."""
    if settings.webhooks.key_file is not None:
        return Vault(settings.webhooks.key_file)
    file = DataFolder(settings.data_dir).webhook_key
    return Vault(file, settings.cluster.derived_key(file.name))


def webhooks_of(
    settings: Settings, clock: Clock, storage: Storage, *, told: Callable[[], None]
) -> Webhooks:
    """Return the webhooks of a data folder; `told` is called when there is something to send."""
    return Webhooks(
        settings=settings.webhooks,
        clock=clock,
        rows=storage.webhooks,
        secrets=storage.secrets,
        deliveries=storage.deliveries,
        vault=vault_of(settings),
        told=told,
    )


def build_deletion(
    settings: Settings, clock: Clock, storage: Storage, signals: Signals, *, is_alone: bool
) -> ProjectDeletion:
    """Return it; `is_alone` says that no server has the folder."""
    return ProjectDeletion(
        settings=settings,
        clock=clock,
        deletions=storage.deletions,
        removal=storage.removal,
        places=Places(storage.data, storage.bucket),
        drop_job=signals.dropped,
        deleted=signals.deleted.set,
        is_alone=is_alone,
    )
