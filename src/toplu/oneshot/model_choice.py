"""The one model of a run's private server: of the catalogue, a GGUF file, or a server's URL."""

import re
from pathlib import Path
from typing import Any

import msgspec

from toplu.errors import ConfigurationError
from toplu.job import Method
from toplu.models.catalogue import Catalogue
from toplu.oneshot.options import AskOptions
from toplu.settings.bounds import GIB, HOUR
from toplu.settings.load import load
from toplu.settings.mistakes import suggest
from toplu.settings.model import Kind, ModelSettings
from toplu.settings.server import Settings, TierSettings

YEARS = 10 * 365 * 24 * HOUR  # nothing of a run ends before its user ends it
BYTES_MAX = 1024 * GIB
GGUF_SUFFIX = ".gguf"
NAME_LENGTH_MAX = 63


def settings_of(options: AskOptions, named: str | None, method: Method) -> Settings:
    """Return the settings of a private server; its data folder is still to be named.

    `named` is its model; None: the first of those that answer to the method.
    """
    wanted = Kind.EMBEDDING if method is Method.EMBED else Kind.GENERATION
    name: str | None = None  # in the catalogue; the other kinds of models are the only ones in it
    if named is None:
        settings = load(options.config)
    elif named.startswith(("http://", "https://")):
        settings = _with_model(options, _of_server(named, options.key_file, wanted))
    elif named.lower().endswith(GGUF_SUFFIX) or "/" in named:
        settings = _with_model(options, _of_file(Path(named)))
    else:
        settings, name = load(options.config), named
    model = _chosen(settings, name, wanted)
    if options.image is not None and not model.sees:
        raise ConfigurationError(f"the model {model.name} sees no images; name one that does")
    return msgspec.structs.replace(
        settings,
        workers=0,
        host="127.0.0.1",
        log_format="json",
        models=(msgspec.structs.replace(model, lazy=False),),
        tiers=(TierSettings(name="default"),),
        upload_bytes_max=BYTES_MAX,
        project_bytes_max=BYTES_MAX,
        file_life_seconds=YEARS,
        job_life_seconds=YEARS,
        job_target_seconds=YEARS,
        result_life_seconds=YEARS,
        engine_start_attempts_max=2,  # somebody waits to hear of it
    )


def _with_model(options: AskOptions, model: dict[str, Any]) -> Settings:
    return load(options.config, overrides={"models": [model]})


def _of_server(url: str, key_file: Path | None, kind: Kind) -> dict[str, Any]:
    address, _, name = url.partition("#")
    server = {"url": address, "model": name or None}
    if key_file is not None:
        server["key_file"] = str(key_file)
    return {"name": "server", "engine": "openai_server", "servers": [server], "kind": kind}


def _of_file(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise ConfigurationError(f"model {path}: there is no such file")
    slug = re.sub(r"[^a-z0-9._-]+", "-", path.stem.lower()).strip("._-")[:NAME_LENGTH_MAX]
    return {"name": slug or "model", "engine": "llama_cpp", "source": f"path:{path.resolve()}"}


def _chosen(settings: Settings, name: str | None, kind: Kind) -> ModelSettings:
    of_kind = [model for model in settings.models if model.kind is kind]
    if name is None:
        if not of_kind:
            raise ConfigurationError(f"no model is of the kind {kind}; name one with --model")
        return of_kind[0]
    catalogue = Catalogue(settings.models)
    model = catalogue.resolve(name)
    if model is None:
        names = [each for each, _ in catalogue.names()]
        raise ConfigurationError(
            f"there is no model `{name}`{suggest(name, names)}; name one with --model: "
            f"{', '.join(names)}"
        )
    if model.kind is not kind:
        raise ConfigurationError(
            f"the model {model.name} is of the kind {model.kind}, and {kind} is asked for"
        )
    return model
