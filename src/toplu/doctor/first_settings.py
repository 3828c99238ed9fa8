"""The first settings of a server, for what was found on its machine, and further models of it.

The file is for people: each table has a comment that says why it is there.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from toplu.doctor.found_models import FoundModel, read_file, slug_of
from toplu.doctor.hardware import Hardware
from toplu.errors import ConfigurationError
from toplu.settings.load import load
from toplu.settings.model import DEFAULT_EMBEDDER, DEFAULT_MODEL, Kind, ModelSettings

OUTPUT_TOKENS_MAX = 4096
OUTPUT_PART = 4  # of the context, an answer may be at most
HEAD = """\
# Settings of toplu, for `toplu serve --config {name}`. The others are in docs/OPERATING.md.
# Found here: {cores} cores, {memory:.0f} GiB of memory, {graphics}.

# port = 8765
# data_dir = "toplu-data"
# workers = 1
"""


def write_settings(found: Sequence[FoundModel], hardware: Hardware, *, name: str) -> str:
    """Return the file: the models that were found, and the default ones for what none is for."""
    graphics = "; ".join(hardware.graphics) or "no graphics card of NVIDIA"
    tables = [
        HEAD.format(name=name, cores=hardware.cores, memory=hardware.memory_gib, graphics=graphics)
    ]
    for default in (DEFAULT_MODEL, DEFAULT_EMBEDDER):
        is_embedding = default.kind is Kind.EMBEDDING
        ours = [it for it in found if it.is_embedding is is_embedding]
        for place, (model, own) in enumerate(_named_once(ours)):
            aliases = default.aliases if not place else ()
            tables.append(_table_of(model, own, aliases))
        if not ours:
            tables.append(_default_table(default))
    return "\n".join(tables)


def model_of(source: str, name: str | None) -> FoundModel:
    """Return the model that a source names, or raise ConfigurationError: it names none."""
    if source.startswith(("http://", "https://")):
        server, _, served_name = source.partition("#")
        named = name or served_name or urlsplit(server).hostname or ""
        return FoundModel(
            name=slug_of(named), server=server, software="A server", served_name=served_name
        )
    if source.startswith(("hub:", "wheel:")):
        stem = PurePosixPath(source).stem
        return FoundModel(name=slug_of(name or stem), server="", source=source)
    model = read_file(Path(source.removeprefix("path:")))
    return model if name is None else replace(model, name=slug_of(name))


def added_settings(config: Path, model: FoundModel, aliases: Sequence[str]) -> None:
    """Add the model to a file of settings; ConfigurationError: it does not fit in."""
    try:
        before = config.read_text(encoding="utf-8") if config.exists() else ""
        part = config.with_name(f".{config.name}.part")
        part.write_text(f"{before.rstrip()}\n\n{_table_of(model, model.name, aliases)}".lstrip())
        try:
            load(part)
            part.replace(config)
        finally:
            part.unlink(missing_ok=True)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{config}: cannot be written: {error}") from error


def _named_once(models: Iterable[FoundModel]) -> Iterable[tuple[FoundModel, str]]:
    """Yield the models, each with a name that no other has."""
    seen: dict[str, int] = {}
    for model in models:
        seen[model.name] = seen.get(model.name, 0) + 1
        count = seen[model.name]
        yield model, model.name if count == 1 else f"{model.name}-{count}"


def _table_of(model: FoundModel, name: str, aliases: Sequence[str]) -> str:
    if model.source:
        return _table(
            f"# The file {model.source}, which is fetched once.",
            name=name,
            aliases=list(aliases),
            engine="llama_cpp",
            source=model.source,
        )
    if model.path is not None:
        answer = min(OUTPUT_TOKENS_MAX, max(1, model.context_tokens // OUTPUT_PART))
        return _table(
            f"# The file {model.path.name}; a lane is a request at a time, with so long a context.",
            name=name,
            aliases=list(aliases),
            engine="llama_cpp",
            source=f"path:{model.path}",
            context_tokens=model.context_tokens,
            output_tokens_max=answer,
            lanes=DEFAULT_MODEL.lanes,
        )
    return _table(
        f"# {model.software} at {model.server} has it; how much it takes at once is found out.",
        name=name,
        aliases=list(aliases),
        engine="openai_server",
        output_tokens_max=None if model.is_embedding else OUTPUT_TOKENS_MAX,
        kind=Kind.EMBEDDING.value if model.is_embedding else None,
        servers=[{"url": model.server} | _served(model)],
    )


def _served(model: FoundModel) -> dict[str, str]:
    return {"model": model.served_name} if model.served_name else {}


def _default_table(model: ModelSettings) -> str:
    is_embedding = model.kind is Kind.EMBEDDING
    what = "makes vectors" if is_embedding else "shows that everything works, not how well"
    return _table(
        f"# The small model that comes with toplu: it {what}.",
        name=model.name,
        aliases=list(model.aliases),
        engine=model.engine,
        lazy=model.lazy or None,
        source=model.source,
        sha256=model.sha256,
        companions=model.companions or None,
        context_tokens=model.context_tokens,
        output_tokens_max=model.output_tokens_max,
        lanes=None if is_embedding else model.lanes,
        temperature=None if is_embedding else model.temperature,
        top_p=None if is_embedding else model.top_p,
        top_k=None if is_embedding else model.top_k,
    )


def _table(comment: str, **values: object) -> str:
    lines = [comment, "[[models]]"]
    lines += [f"{name} = {_value(value)}" for name, value in values.items() if value is not None]
    return "\n".join(lines) + "\n"


def _value(value: object) -> str:
    """Return the value as TOML, which writes texts and numbers as JSON does."""
    match value:
        case dict():
            pairs = (f"{json.dumps(key)} = {_value(each)}" for key, each in value.items())
            return "{ " + ", ".join(pairs) + " }"
        case list():
            return "[" + ", ".join(map(_value, value)) + "]"
        case _:
            return json.dumps(value)
