"""Facts that decide on a model's answers, beside the request: files, template, settings."""

import asyncio
import contextlib
import hashlib
from importlib import metadata
from pathlib import Path

import msgspec
import structlog

from toplu import __version__
from toplu.engines.llama_cpp.gguf import read_chat_template
from toplu.errors import ConfigurationError
from toplu.models.checksums import digest_of
from toplu.models.repository import repository_of
from toplu.models.sources import locate, projector_of
from toplu.settings.model import ModelSettings
from toplu.settings.server import Settings

log = structlog.get_logger()

# The libraries that compute, by engine; servers compute elsewhere.
LIBRARIES = {"llama_cpp": "xllamacpp", "onnx_embedder": "onnxruntime", "vllm": "vllm"}
# Of a model: what has no part in an answer, or as little as the other requests on its lanes have.
WITHOUT_EFFECT = frozenset(
    {
        *("aliases", "display_name", "lazy", "price"),
        *("lanes", "batch_tokens", "reserved_lanes_min", "threads"),
        *("replicas", "replicas_min", "replicas_max", "idle_seconds"),
    }
)
# Of the server: how documents and images become parts of prompts.
WITH_EFFECT = ("document_", "image_", "ocr", "request_")


class ModelFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Equal where the same deterministic request has the same answer."""

    engine: str  # its kind
    build: str  # of toplu, and of the library that computes
    model_sha256: str | None  # of the model file, or of all files of its folder; None: elsewhere
    template_sha256: str | None  # of the chat template
    settings_sha256: str  # of all settings that have an effect, and of further files


class FactReader:
    """Reads the facts of one model, once: its engine has what it has loaded."""

    def __init__(self, model: ModelSettings, settings: Settings) -> None:
        self.model = model
        self._settings = settings
        self._facts: ModelFacts | None = None
        self._reading = asyncio.Lock()

    async def read(self) -> ModelFacts | None:
        """Return the facts, None while the model's file is not here or cannot be read.

        A large file that was not read yet takes a while.
        """
        async with self._reading:
            if self._facts is None:
                try:
                    self._facts = await asyncio.to_thread(_read, self.model, self._settings)
                except ConfigurationError as error:
                    log.warning("model_not_read", engine=self.model.name, reason=str(error))
            return self._facts


def _read(model: ModelSettings, settings: Settings) -> ModelFacts | None:
    path = _path_of(model, settings)
    if path is None and model.source is not None and not model.runs_server:
        return None
    return ModelFacts(
        engine=model.engine,
        build=_build(model),
        model_sha256=None if path is None else _digest(path),
        template_sha256=_template_digest(model, path),
        settings_sha256=_settings_digest(model, settings),
    )


def _path_of(model: ModelSettings, settings: Settings) -> Path | None:
    if not model.runs_server:
        return locate(model, settings.model_dir)
    folder = Path(repository_of(model))
    return folder if folder.is_dir() else None  # else it is on a hub


def _digest(path: Path) -> str:
    if path.is_file():
        return digest_of(path)
    files = sorted(it for it in path.rglob("*") if it.is_file())
    sums = {str(it.relative_to(path)): digest_of(it) for it in files}
    return hashlib.sha256(msgspec.json.encode(sums)).hexdigest()


def _build(model: ModelSettings) -> str:
    build = f"toplu {__version__}"
    library = LIBRARIES.get(model.engine)
    if library is not None:
        with contextlib.suppress(metadata.PackageNotFoundError):
            build += f", {library} {metadata.version(library)}"
    return build


def _template_digest(model: ModelSettings, path: Path | None) -> str | None:
    if model.chat_template is not None:
        return digest_of(Path(model.chat_template))
    if model.engine != "llama_cpp" or path is None:
        return None
    try:
        template = read_chat_template(path)
    except ValueError:
        return None  # the engine says so as well
    return None if template is None else hashlib.sha256(template).hexdigest()


def _settings_digest(model: ModelSettings, settings: Settings) -> str:
    of_model = msgspec.structs.asdict(model)
    effective = {name: it for name, it in of_model.items() if name not in WITHOUT_EFFECT}
    of_server = msgspec.structs.asdict(settings)
    effective |= {name: it for name, it in of_server.items() if name.startswith(WITH_EFFECT)}
    further = []
    if (projector := projector_of(model)) is not None:
        further.append(locate(projector, settings.model_dir))
    effective["further files"] = [digest_of(it) for it in further if it is not None]
    return hashlib.sha256(msgspec.json.encode(effective, order="deterministic")).hexdigest()
