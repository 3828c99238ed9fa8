"""The pages of the reference, made from the code: settings, commands, calls, errors."""

import ast
import inspect
import io
import json
import tokenize
from collections.abc import Iterator
from types import ModuleType
from typing import Any, get_type_hints

import msgspec
import typer

from toplu.api.gemini.openapi import CALLS as GEMINI_CALLS
from toplu.api.http.openapi.operated import Operated
from toplu.api.openai.document.calls import CALLS as OPENAI_CALLS
from toplu.cli.app import app
from toplu.errors import Code, TopluError
from toplu.settings import cluster, model, outbound, remote, server
from toplu.settings.storage import bucket, store

HEADING_LENGTH_MAX = 32
SETTINGS_HEAD = """\
# Settings

In a TOML file (`--config`); those without a table also as an option of `toplu serve` or a variable:
`TOPLU_PORT=8080`.
"""
CALLS_HEAD = """\
# Calls

`/openapi.json` of a running server has the shapes, `/docs` a page to try them.

## Gemini's API

| call | | takes | gives |
|---|---|---|---|"""
OPENAI_HEAD = """
## OpenAI's API

`/openai/v1/openapi.json` has the shapes.

| call | | takes | gives |
|---|---|---|---|"""

# Each settings type, by what it is called in a file.
TABLES: tuple[tuple[str, ModuleType, type[msgspec.Struct]], ...] = (
    ("", server, server.Settings),
    ("[[models]]", model, model.ModelSettings),
    ("servers = [{ … }] of a model", remote, remote.ServerSettings),
    ("remote = { … } of a model", remote, remote.RemoteSettings),
    ("vllm = { … } of a model", remote, remote.VllmSettings),
    ("price = { … } of a model", model, model.PriceSettings),
    ("thinking = { … } of a model", model, model.ThinkingSettings),
    ("echo = { … } of a model", model, model.EchoSettings),
    ("[[tiers]]", server, server.TierSettings),
    ("[search]", server, server.SearchSettings),
    ("[store]", store, store.StoreSettings),
    ("[bucket]", bucket, bucket.BucketSettings),
    ("[cluster]", cluster, cluster.ClusterSettings),
    ("[inputs]", outbound, outbound.InputSettings),
    ("[webhooks]", outbound, outbound.WebhookSettings),
)


def settings() -> str:
    """Return every setting with its type, default and meaning, as the types say them."""
    parts = [SETTINGS_HEAD]
    for title, module, kind in TABLES:
        parts.append(f"## {title or 'Of the server'}\n\n| setting | default | |\n|---|---|---|")
        notes = _notes_of(module, kind)
        for field in msgspec.structs.fields(kind):
            note = _cell(notes.get(field.name, ""))
            parts.append(f"| `{field.name}` | {_default(field)} | {note} |")
        parts.append("")
    return "\n".join(parts)


def commands() -> str:
    """Return the help of every command."""
    parts = ["# Commands\n"]
    group = typer.main.get_command(app)
    for name, command in _all_commands("toplu", group):
        context = typer.Context(command, info_name=name)
        parts.append(f"## {name}\n\n```text\n{command.get_help(context)}\n```\n")
    return "\n".join(parts)


def calls() -> str:
    """Return every call of both APIs."""
    parts = [CALLS_HEAD]
    parts += map(_call_row, GEMINI_CALLS)
    return "\n".join([*parts, OPENAI_HEAD, *map(_call_row, OPENAI_CALLS)]) + "\n"


def _call_row(call: Operated) -> str:
    names = [getattr(it, "__name__", "") if it else "" for it in (call.takes, call.gives)]
    shown = " | ".join(f"`{name}`" if name else "" for name in names)
    return f"| `{call.method.upper()} {call.path}` | {_cell(call.summary)} | {shown} |"


def errors() -> str:
    """Return every kind of error that a call can have."""
    rows = ["# Errors\n\n| status | number | HTTP | |\n|---|---|---|---|"]
    for kind in sorted(_kinds_of(TopluError), key=lambda kind: (kind.code, kind.__name__)):
        meaning = _cell((inspect.getdoc(kind) or "").partition("\n")[0])
        rows.append(
            f"| `{Code(kind.code).name}` | {int(kind.code)} | {kind.http_status} | {meaning} |"
        )
    return "\n".join(rows) + "\n"


def _kinds_of(kind: type[TopluError]) -> Iterator[type[TopluError]]:
    for each in kind.__subclasses__():
        if each.__module__ == "toplu.errors":
            yield each
            yield from _kinds_of(each)


def _all_commands(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    subcommands = getattr(command, "commands", None)
    if subcommands is None:
        yield name, command
        return
    for each in subcommands:
        yield from _all_commands(f"{name} {each}", subcommands[each])


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.default_factory is not msgspec.NODEFAULT:
        return f"`{_shown(field.default_factory())}`"
    if field.default is msgspec.NODEFAULT:
        return "must be given"
    if isinstance(field.default, msgspec.Struct) or field.name in ("models", "model_dir"):
        return "see below" if field.name != "model_dir" else "the user's cache folder"
    return f"`{_shown(field.default)}`"


def _shown(value: Any) -> str:
    """Return a default as it stands in a file."""
    if isinstance(value, tuple | list):
        tables = any(isinstance(each, msgspec.Struct) for each in value)
        return "one, named default" if tables else str(list(value))
    if isinstance(value, bool | str):
        return json.dumps(value)
    if isinstance(value, float):
        return f"{value:g}"
    return "none" if value is None else f"{value:_}" if isinstance(value, int) else str(value)


def _notes_of(module: ModuleType, kind: type) -> dict[str, str]:
    """Return the comments at each field of the class: those above it, and that behind it."""
    source = inspect.getsource(module)
    comments = {
        token.start[0]: token.string.lstrip("# ")
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    }
    lines = source.splitlines()
    (found,) = [
        node
        for node in ast.parse(source).body
        if isinstance(node, ast.ClassDef) and node.name == kind.__name__
    ]
    notes = {}
    for node in found.body:
        if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name):
            continue
        above = []
        number = node.lineno - 1
        while number in comments and lines[number - 1].lstrip().startswith("#"):
            above.insert(0, comments[number])
            number -= 1
        if above and not lines[number - 1].strip() and _is_heading(above[0]):
            del above[0]
        behind = comments.get(node.end_lineno or node.lineno, "")
        notes[node.target.id] = " ".join([*above, behind]).strip()
    assert set(notes) == set(get_type_hints(kind)), "every field was found"
    return notes


def _is_heading(comment: str) -> bool:
    """Return whether a comment behind an empty line is of a group of settings, not of one."""
    return len(comment) < HEADING_LENGTH_MAX and not any(mark in comment for mark in ".,;:")


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")
