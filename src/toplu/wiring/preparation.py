"""Prepares a data folder for the processes that are to work on it; for its owner alone."""

import asyncio

import structlog

from toplu.batch.recovery import clear_unfinished
from toplu.documents.formats.ocr import check_ocr
from toplu.errors import ConfigurationError
from toplu.projects.keys import Keys
from toplu.settings.hosts import is_loopback
from toplu.settings.server import Settings
from toplu.store.data_folder import DataFolder
from toplu.wiring.storage import Storage, open_storage

log = structlog.get_logger()


async def prepare(settings: Settings, data: DataFolder, *, upgrades: bool = True) -> None:
    """Bring the rows up to date if `upgrades` allows it, and clear what a crash left half-made.

    ConfigurationError: the server would answer whoever comes, from other machines too; or what it
    is to call is not installed.
    """
    await asyncio.to_thread(check_ocr, settings)
    async with open_storage(data, settings.bucket, settings.store, upgrades=upgrades) as storage:
        await check_keys(settings, storage)
        await clear_unfinished(storage.blobs, storage.jobs, storage.results)
        await storage.deletions.rewrite_if_due()


async def check_keys(settings: Settings, storage: Storage) -> None:
    """Warn if any key works, or raise ConfigurationError if others than this machine could ask."""
    if await Keys(clock=storage.clock, issued=storage.keys).any_exist():
        return
    if not is_loopback(settings.host):
        raise ConfigurationError(
            f"host {settings.host} can be reached by other machines and there is no API "
            "key: make one with `toplu keys create`, or listen on 127.0.0.1"
        )
    log.warning("any_key_works", reason="no key has been made, and only this machine asks")
