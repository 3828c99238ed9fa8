"""Says what is wrong with a setting, where it stands, and what it was probably meant to be."""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

import msgspec
from msgspec import inspect

UNKNOWN = re.compile(r"Object contains unknown field `(?P<name>.*?)`(?: - at `(?P<path>.*)`)?")
NO_CHOICE = re.compile(r"Invalid enum value '(?P<name>.*?)'(?: - at `(?P<path>.*)`)?")
STEP = re.compile(r"\.(?P<field>\w+)|\[(?P<index>\d+|\.\.\.)\]")


def explain(error: msgspec.ValidationError, settings: type[msgspec.Struct]) -> str:
    """Return what msgspec found wrong, with the name or value that was probably meant."""
    message = str(error)
    if found := UNKNOWN.fullmatch(message):
        place = _place(found["path"])
        fields = _fields_at(settings, found["path"] or "$")
        return f"{place}there is no setting `{found['name']}`{suggest(found['name'], fields)}"
    if found := NO_CHOICE.fullmatch(message):
        choices = _choices_at(settings, found["path"] or "$")
        meant = suggest(found["name"], choices) or f"; it is one of {', '.join(choices)}"
        return f"{_place(found['path'])}`{found['name']}` is no choice{meant}"
    return message


def suggest(name: str, known: Iterable[str]) -> str:
    """Return the end of a sentence with the known name that is most like this one, if any is."""
    names = list(known)
    longer = [each for each in names if each.startswith(name)]
    nearest = get_close_matches(name, names, n=1) or longer
    return f"; did you mean `{nearest[0]}`?" if nearest else ""


def _place(path: str | None) -> str:
    return "" if path is None else f"{path.removeprefix('$.')}: "


def _fields_at(settings: type[msgspec.Struct], path: str) -> list[str]:
    kinds = _types_at(settings, path)
    structs = [kind for kind in kinds if isinstance(kind, inspect.StructType)]
    return [field.encode_name for struct in structs for field in struct.fields]


def _choices_at(settings: type[msgspec.Struct], path: str) -> list[str]:
    choices: list[str] = []
    for kind in _types_at(settings, path):
        if isinstance(kind, inspect.LiteralType):
            choices += map(str, kind.values)
        elif isinstance(kind, inspect.EnumType):
            choices += [str(member.value) for member in kind.cls]
    return choices


def _types_at(settings: type[msgspec.Struct], path: str) -> list[inspect.Type]:
    """Return the types that a value at the path may have, as in `$.models[0].engine`."""
    kinds = _alternatives(inspect.type_info(settings))
    for step in STEP.finditer(path):
        kinds = [inner for kind in kinds for inner in _inside(kind, step["field"])]
    return kinds


def _inside(kind: inspect.Type, field: str | None) -> list[inspect.Type]:
    if isinstance(kind, inspect.StructType):
        inner: list[Any] = [each.type for each in kind.fields if each.encode_name == field]
    elif isinstance(kind, inspect.VarTupleType):
        inner = [kind.item_type]
    elif isinstance(kind, inspect.DictType):
        inner = [kind.value_type]
    else:
        inner = []
    return [alternative for each in inner for alternative in _alternatives(each)]


def _alternatives(kind: inspect.Type) -> list[inspect.Type]:
    return list(kind.types) if isinstance(kind, inspect.UnionType) else [kind]
