"""Checks the files that the catalogue names, before a server starts with them.

A file that is missing or wrong stays so; one that is still to be fetched is no mistake.
"""

import asyncio
from collections.abc import Iterable
from pathlib import Path

from toplu.errors import ConfigurationError
from toplu.models.checksums import verify_all
from toplu.models.repository import check_repository
from toplu.models.sources import PathSource, locate, missing_files, projector_of, read_source
from toplu.settings.server import ModelSettings

GGUF = b"GGUF"  # how such a file begins


async def check_files(models: Iterable[ModelSettings], model_dir: Path) -> None:
    """Raise ConfigurationError if a file of a model cannot be the one that is meant."""
    for model in models:
        if model.runs_server:
            await asyncio.to_thread(check_repository, model)
            continue
        await _check(model, model_dir)
        if (projector := projector_of(model)) is not None:
            await _check(projector, model_dir)
        template = model.chat_template
        if template is not None and not await asyncio.to_thread(Path(template).is_file):
            raise ConfigurationError(
                f"models: {model.name}: chat_template: there is no file {template}"
            )


async def _check(model: ModelSettings, model_dir: Path) -> None:
    if model.source is None:
        return
    path = await asyncio.to_thread(locate, model, model_dir)
    if path is not None:
        await verify_all(path, model)
        await asyncio.to_thread(_check_format, model, path)
    elif isinstance(read_source(model), PathSource):
        raise missing_files(model)
    else:
        await asyncio.to_thread(_check_folder, model_dir)


def _check_format(model: ModelSettings, path: Path) -> None:
    if model.engine != "llama_cpp":
        return
    with path.open("rb") as file:
        if file.read(len(GGUF)) != GGUF:
            raise ConfigurationError(f"models: {model.name}: {path} is no GGUF file")


def _check_folder(model_dir: Path) -> None:
    try:
        model_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"model_dir {model_dir}: cannot be made: {error.strerror}; name another folder"
        ) from error
