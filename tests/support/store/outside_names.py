"""The names that people and programs outside know: of settings, log events and JSON fields."""

import ast
import importlib
import pkgutil
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec

LEVELS = {"debug", "info", "warning", "error", "exception"}


def setting_names(settings: type[msgspec.Struct]) -> set[str]:
    """Return every setting with the tables it stands in: `models.echo.delay_seconds`."""
    return set(_names_in(msgspec.inspect.type_info(settings), ""))


def _names_in(kind: Any, prefix: str) -> Iterator[str]:
    if isinstance(kind, msgspec.inspect.StructType):
        for field in kind.fields:
            name = f"{prefix}{field.encode_name}"
            yield name
            yield from _names_in(field.type, f"{name}.")
    elif isinstance(kind, msgspec.inspect.UnionType):
        for each in kind.types:
            yield from _names_in(each, prefix)
    elif isinstance(kind, msgspec.inspect.VarTupleType | msgspec.inspect.ListType):
        yield from _names_in(kind.item_type, prefix)


def log_events(source: Path) -> dict[str, list[str]]:
    """Return each event that the modules in the folder log, with the fields it is given."""
    events: dict[str, set[str]] = defaultdict(set)
    for path in source.rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match call:
                case ast.Call(
                    func=ast.Attribute(value=ast.Name(id="log"), attr=level),
                    args=[ast.Constant(value=str(event)), *_],
                    keywords=keywords,
                ) if level in LEVELS:
                    events[event] |= {each.arg for each in keywords if each.arg}
    return {event: sorted(fields) for event, fields in events.items()}


def wire_names(package: ModuleType) -> set[str]:
    """Return every field of the messages in the package, as it is written in JSON."""
    modules = [
        importlib.import_module(f"{package.__name__}.{each.name}")
        for each in pkgutil.iter_modules(package.__path__)
    ]
    return {
        name
        for module in modules
        for each in vars(module).values()
        if isinstance(each, type) and issubclass(each, msgspec.Struct)
        for name in each.__struct_encode_fields__
    }
