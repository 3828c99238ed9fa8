"""Builds what an operator's commands need, whether or not a server runs on the data folder."""

import contextlib
import os
import pwd
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from toplu import deed
from toplu.deed import Actor
from toplu.projects.audit_log import AuditLog
from toplu.projects.keys import Keys
from toplu.projects.ledger import Ledger
from toplu.projects.quotas import Quotas
from toplu.settings.server import Settings
from toplu.wiring.storage import Storage, open_beside_a_server, open_folder, open_storage

if TYPE_CHECKING:
    from toplu.batch.signals import Ring
    from toplu.deletion.project_deletion import ProjectDeletion
    from toplu.webhooks.library import Webhooks


@contextlib.asynccontextmanager
async def open_keys(settings: Settings) -> AsyncIterator[Keys]:
    """Yield the keys of a data folder."""
    act_as_operator()
    async with _open_all(settings) as storage:
        yield Keys(clock=storage.clock, issued=storage.keys)


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """The parts that the operator reads and changes of projects."""

    audit: AuditLog
    ledger: Ledger
    quotas: Quotas


@contextlib.asynccontextmanager
async def open_books(settings: Settings) -> AsyncIterator[Books]:
    """Yield the books of a data folder."""
    act_as_operator()
    async with _open_all(settings) as storage:
        yield Books(
            audit=AuditLog(clock=storage.clock, rows=storage.audit),
            ledger=Ledger(clock=storage.clock, rows=storage.ledger),
            quotas=Quotas(settings=settings, clock=storage.clock, rows=storage.projects),
        )


@contextlib.asynccontextmanager
async def open_webhooks(settings: Settings) -> AsyncIterator["Webhooks"]:
    """Yield the webhooks of a data folder; a server that runs on it looks for work by itself."""
    from toplu.wiring.shared_parts import webhooks_of

    act_as_operator()
    async with _open_all(settings) as storage:
        yield webhooks_of(settings, storage.clock, storage, told=lambda: None)


async def rekey_secrets(settings: Settings) -> int:
    """Seal every secret of a data folder with a new key; return how many there are.

    Whatever ends it in between leaves a file with both keys, which open everything.
    """
    from toplu.wiring.shared_parts import vault_of

    vault = vault_of(settings)
    async with _open_all(settings) as storage:
        vault.begin_rekey()
        count = await storage.secrets.seal_again(vault.reseal)
        vault.end_rekey()
        return count


@contextlib.asynccontextmanager
async def open_deletion(settings: Settings, ring: "Ring") -> AsyncIterator["ProjectDeletion"]:
    """Yield it for a data folder, whether or not a server runs on it; `ring` has that hear."""
    import shutil

    from toplu.batch.recovery import clear_unfinished
    from toplu.batch.signals import Signals
    from toplu.wiring.shared_parts import build_deletion

    act_as_operator()
    data = open_folder(settings)
    with data.held_if_free() as is_free:
        # Of rows that others have too nobody knows whether a server uses them.
        is_alone = is_free and not settings.store.is_shared
        async with open_storage(
            data, settings.bucket, settings.store, upgrades=is_alone
        ) as storage:
            if is_alone:
                shutil.rmtree(data.prefixes, ignore_errors=True)
                await clear_unfinished(storage.blobs, storage.jobs, storage.results)
            yield build_deletion(settings, storage.clock, storage, Signals(ring), is_alone=is_alone)


def _open_all(settings: Settings) -> AbstractAsyncContextManager[Storage]:
    return open_beside_a_server(open_folder(settings), settings.bucket, settings.store)


def act_as_operator() -> None:
    """Have what this command does be done in the name of the machine's user who runs it."""
    try:
        user = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        user = str(os.getuid())  # in a container, a user may have no name
    deed.act_as(Actor(name=f"operator/{user}"))
