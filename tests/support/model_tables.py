"""The `[[models]]` tables that tests put into a server's configuration file."""

import json
from pathlib import Path
from typing import Any

import msgspec

from toplu.settings.remote import RemoteSettings, ServerSettings
from toplu.settings.server import DEFAULT_EMBEDDER, DEFAULT_MODEL, ModelSettings


def model_table(model: ModelSettings = DEFAULT_MODEL, **changes: Any) -> str:
    """Return the `[[models]]` table of a configuration file for the model with the changes."""
    fields = msgspec.to_builtins(model) | changes
    lines = [f"{name} = {_toml(value)}" for name, value in fields.items() if value is not None]
    return "\n".join(["[[models]]", *lines, ""])


def quick_model(output_tokens_max: int, **changes: Any) -> str:
    """Return the table of the default model, made to answer briefly and to share the machine."""
    return model_table(**{"output_tokens_max": output_tokens_max, "threads": 1} | changes)


def quick_embedder() -> str:
    """Return the table of the default embedding model, made to share the machine."""
    return model_table(DEFAULT_EMBEDDER, threads=1)


def elastic_model(*, most: int, idle_seconds: float, **echo: Any) -> str:
    """Return the table of an echo model whose replicas come and go."""
    model = ModelSettings(name="echo", aliases=("gemini-*",), engine="echo", replicas_max=most)
    return model_table(model, idle_seconds=idle_seconds, echo=echo)


def echo_model(*, name: str = "echo", lanes: int = 4, replicas: int = 1, **echo: Any) -> str:
    """Return the table of an echo model that answers to every Gemini name."""
    model = ModelSettings(
        name=name, aliases=("gemini-*",), engine="echo", lanes=lanes, replicas=replicas
    )
    return model_table(model, echo=echo)


def remote_model(
    url: str, key_file: Path, changes: dict[str, Any] | None = None, **remote: Any
) -> str:
    """Return the table of a model that a server at `url` answers for, with changes of the model."""
    defaults = {"always_stream": True, "requests_first": 4, "health_seconds": 0.5}
    values: dict[str, Any] = defaults | remote
    model = ModelSettings(
        name="remote",
        aliases=("gemini-*",),
        engine="openai_server",
        servers=(ServerSettings(url=url),),
        remote=RemoteSettings(**values),
    )
    servers = [{"url": url, "key_file": str(key_file)}]
    return model_table(model, servers=servers, **(changes or {}))


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        pairs = (
            f"{json.dumps(name)} = {_toml(item)}"
            for name, item in value.items()
            if item is not None
        )
        return "{ " + ", ".join(pairs) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return json.dumps(value)  # strings, numbers, truth values and lists are written alike
