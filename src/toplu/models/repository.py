"""Reads where an engine that loads whole repositories, as vLLM does, finds one."""

from pathlib import Path

from toplu.errors import ConfigurationError
from toplu.settings.model import ModelSettings


def repository_of(model: ModelSettings) -> str:
    """Return the folder, or the name on the hub; ConfigurationError if the source is neither."""
    kind, _, rest = (model.source or "").partition(":")
    if kind == "path" and rest:
        return rest
    owner, _, name = rest.partition("/")
    if kind == "hub" and owner and name and "/" not in name:
        return rest
    raise ConfigurationError(
        f"models: {model.name}: the engine {model.engine} needs a source: path:FOLDER or "
        f"hub:OWNER/REPO, not {model.source!r}"
    )


def check_repository(model: ModelSettings) -> None:
    """Raise ConfigurationError if the folder of the model is not there."""
    repository = repository_of(model)
    if (model.source or "").startswith("path:") and not Path(repository).is_dir():
        raise ConfigurationError(f"models: {model.name}: there is no folder {repository}")
