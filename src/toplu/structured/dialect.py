"""Finds out which draft of JSON Schema a schema is written in."""

import re
from typing import Any

from toplu.structured.held_schema import MAPS, map_schemas

DRAFTS = {
    "draft-04": 4,
    "draft-06": 6,
    "draft-07": 7,
    "draft/2019-09": 2019,
    "draft/2020-12": 2020,
}
NEWEST = 2020
ALONE_MAX = 7  # the newest draft in which nothing beside a `$ref` counts
# Where a reference may lead to, and so stays beside another one.
REFERRED = MAPS | {"$ref", "$schema", "$id", "id"}

_NAME = re.compile(r"^https?://json-schema\.org/(draft[-/][0-9-]+)/(?:hyper-)?schema#?$")


def read_dialect(schema: Any) -> tuple[int, Any]:
    """Return the draft, and the schema as that draft has it.

    A `$schema` that names no draft counts as none, which is 2020-12. There, the tuples of draft 7
    (a list under `items`) are understood as well, for many libraries still write them.
    """
    if not isinstance(schema, dict):
        return NEWEST, schema
    named = schema.get("$schema")
    if named is not None and not isinstance(named, str):
        return NEWEST, schema  # a fault that the meta-schema names
    found = _NAME.match(named or "")
    draft = DRAFTS.get(found[1]) if found else None
    if draft is not None:
        return draft, _with_references_alone(schema) if draft <= ALONE_MAX else schema
    without = {name: value for name, value in schema.items() if name != "$schema"}
    return NEWEST, _with_prefix_items(without)


def _with_references_alone(schema: Any) -> Any:
    if not isinstance(schema, dict):
        return schema
    if isinstance(schema.get("$ref"), str):
        schema = {name: value for name, value in schema.items() if name in REFERRED}
    return map_schemas(schema, lambda inner, _: _with_references_alone(inner))


def _with_prefix_items(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_prefix_items(each) for each in value]
    if not isinstance(value, dict):
        return value
    written: dict[str, Any] = {}
    is_tuple = isinstance(value.get("items"), list) and "prefixItems" not in value
    for name, inner in value.items():
        if name in ("enum", "const", "default", "examples", "example"):
            written[name] = inner  # values, not schemas
        elif is_tuple and name == "items":
            written["prefixItems"] = _with_prefix_items(inner)
        elif is_tuple and name == "additionalItems":
            written["items"] = _with_prefix_items(inner)
        else:
            written[name] = _with_prefix_items(inner)
    return written
