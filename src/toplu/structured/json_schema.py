"""Reads a JSON Schema into shapes, and refuses what a grammar could not hold an answer to.

Absent because they would need to look back at what was said: `uniqueItems`, `not`, `if`,
`contains`, patterns of property names. Properties that a schema merely allows are never said.
"""

import json
from collections.abc import Callable
from typing import Any

from toplu.structured import disjoint
from toplu.structured.keywords import OF_TYPE, check_keywords, types_of
from toplu.structured.scalars import count_of, read_number, read_text
from toplu.structured.shape import (
    BOOLEAN,
    NULL,
    TOO_MANY_STATES,
    Anything,
    Choice,
    Dictionary,
    Literals,
    Member,
    Record,
    Reference,
    SchemaFault,
    Sequence,
    Shape,
)

NODES_MAX = 1000

TYPES_OF_VALUES: dict[type, tuple[str, ...]] = {
    str: ("string",),
    bool: ("boolean",),
    int: ("integer", "number"),
    float: ("number",),
    type(None): ("null",),
    list: ("array",),
    dict: ("object",),
}


class JsonSchemaReader:
    """One pass over a schema; what it refers to is read once and kept in `definitions`.

    `scope` goes before their names, so that several schemas can keep theirs together.
    """

    def __init__(self, schema: Any, path: str, scope: str = "") -> None:
        self._root = schema
        self._path = path
        self._scope = scope
        self.nodes = 0
        self.definitions: dict[str, Shape] = {}

    def read(self) -> Shape:
        """Return the shape of the whole, or raise SchemaFault."""
        return self._read(self._root, self._path)

    def _read(self, schema: Any, path: str) -> Shape:
        self.nodes += 1
        if self.nodes > NODES_MAX:
            raise SchemaFault(path, TOO_MANY_STATES)
        if schema is True:
            return Anything()
        if not isinstance(schema, dict):
            raise SchemaFault(path, "must be a schema that some value meets.")
        check_keywords(schema, path)
        if "$ref" in schema:
            return self._reference(schema["$ref"], f"{path}.$ref")
        if "const" in schema:
            return self._literals([schema["const"]], schema, f"{path}.const")
        if "enum" in schema:
            return self._literals(schema["enum"], schema, f"{path}.enum")
        for name in ("anyOf", "oneOf", "allOf"):
            if name in schema:
                return self._options(name, schema, f"{path}.{name}")
        return _choice([self._typed(kind, schema, path) for kind in types_of(schema, path)])

    def _typed(self, kind: str, schema: dict[str, Any], path: str) -> Shape:
        read: Callable[[dict[str, Any], str], Shape]
        match kind:
            case "null":
                return NULL
            case "boolean":
                return BOOLEAN
            case "string":
                read = read_text
            case "array":
                read = self._array
            case "object":
                read = self._object
            case _:
                return read_number(schema, path, whole=kind == "integer")
        return read(schema, path)

    def _array(self, schema: dict[str, Any], path: str) -> Shape:
        if schema.get("uniqueItems"):
            raise SchemaFault(f"{path}.uniqueItems", "is not supported in a schema.")
        fewest, most = count_of(schema, "minItems", path) or 0, count_of(schema, "maxItems", path)
        if most is not None and most < fewest:
            raise SchemaFault(f"{path}.maxItems", "is less than minItems.")
        given = schema.get("prefixItems", [])
        if not isinstance(given, list):
            raise SchemaFault(f"{path}.prefixItems", "must be a list of schemas.")
        prefix = tuple(
            self._read(item, f"{path}.prefixItems[{index}]") for index, item in enumerate(given)
        )
        if most is not None and most < len(prefix):
            prefix = prefix[:most]
        items = None
        if schema.get("items") is not False and (not prefix or "items" in schema):
            items = self._read(schema.get("items", True), f"{path}.items")
        if items is None and fewest > len(prefix):
            raise SchemaFault(f"{path}.minItems", "asks for more items than are described.")
        return Sequence(prefix=prefix, items=items, fewest=max(fewest, len(prefix)), most=most)

    def _object(self, schema: dict[str, Any], path: str) -> Shape:
        properties = schema.get("properties", {})
        required = schema.get("required", [])
        if not isinstance(properties, dict):
            raise SchemaFault(f"{path}.properties", "must be an object of schemas.")
        if not isinstance(required, list) or not all(isinstance(name, str) for name in required):
            raise SchemaFault(f"{path}.required", "must be a list of names.")
        fewest = count_of(schema, "minProperties", path) or 0
        most = count_of(schema, "maxProperties", path)
        others = schema.get("additionalProperties", True)
        if not properties and not required and others is not False:
            if fewest > 1:
                raise SchemaFault(f"{path}.minProperties", "must be 1 for free names.")
            values = self._read(others, f"{path}.additionalProperties")
            return Dictionary(values, fewest, most)
        for index, name in enumerate(required):
            if name not in properties:
                raise SchemaFault(f"{path}.required[{index}]", "property is not defined")
        if fewest > len(required) or (most is not None and most < len(properties)):
            name = "minProperties" if fewest > len(required) else "maxProperties"
            raise SchemaFault(f"{path}.{name}", "cannot be held to: say which are required.")
        members = [
            Member(name, self._read(inner, f"{path}.properties[{name}]"), name in required)
            for name, inner in _ordered(properties, schema.get("propertyOrdering")).items()
        ]
        for member in members:
            _check_text(member.name, f"{path}.properties")
        return Record(tuple(members))

    def _options(self, name: str, schema: dict[str, Any], path: str) -> Shape:
        given = schema[name]
        if not isinstance(given, list) or not given:
            raise SchemaFault(path, "must be a list of schemas that is not empty.")
        if name == "allOf" and len(given) > 1:
            raise SchemaFault(path, "is supported with one schema only.")
        options = [
            self._read(_with_type(option, schema, f"{path}[{index}]"), f"{path}[{index}]")
            for index, option in enumerate(given)
        ]
        if name == "oneOf" and not disjoint.are_disjoint(options, self.definitions):
            raise SchemaFault(
                path, "has schemas that one value may meet together: use anyOf instead."
            )
        return _choice(options)

    def _literals(self, values: Any, schema: dict[str, Any], path: str) -> Shape:
        if not isinstance(values, list) or not values:
            raise SchemaFault(path, "must be a list of values that is not empty.")
        kinds = types_of(schema, path) if "type" in schema else list(OF_TYPE)
        texts = [
            json.dumps(value, ensure_ascii=False)
            for value in values
            if any(kind in kinds for kind in TYPES_OF_VALUES[type(value)])
        ]
        if not texts:
            raise SchemaFault(path, "has no value of the type.")
        for text in texts:
            _check_text(text, path)
        return Literals(tuple(dict.fromkeys(texts)))

    def _reference(self, name: Any, path: str) -> Shape:
        if not isinstance(name, str) or not (name == "#" or name.startswith("#/")):
            raise SchemaFault(path, "must point into the schema itself, as #/$defs/… does.")
        scoped = self._scope + name
        if scoped not in self.definitions:
            found: Any = self._root
            for escaped in name.split("/")[1:]:
                step = escaped.replace("~1", "/").replace("~0", "~")
                if not isinstance(found, dict) or step not in found:
                    raise SchemaFault(path, f"{name} is not defined.")
                found = found[step]
            self.definitions[scoped] = Anything()  # until it is read, for it may refer to itself
            place = f"{self._path}{name[1:].replace('/', '.')}"
            self.definitions[scoped] = self._read(found, place)
        return Reference(scoped)


def _choice(options: list[Shape]) -> Shape:
    distinct = list(dict.fromkeys(options))
    if not distinct:
        return Anything()
    return distinct[0] if len(distinct) == 1 else Choice(tuple(distinct))


def _ordered(properties: dict[str, Any], ordering: Any) -> dict[str, Any]:
    wanted = ordering if isinstance(ordering, list) else []
    named = [name for name in wanted if isinstance(name, str) and name in properties]
    names = dict.fromkeys([*named, *properties])
    return {name: properties[name] for name in names}


def _with_type(option: Any, schema: dict[str, Any], path: str) -> Any:
    """Return the option with the type that stands beside the list of options."""
    if "type" not in schema or not isinstance(option, dict):
        return option
    if "type" not in option:
        return option | {"type": schema["type"]}
    outer, inner = types_of(schema, path), types_of(option, path)
    outer = [*outer, "integer"] if "number" in outer else outer
    # A nullable list of options gets null from outside.
    if not set(inner) <= {*outer, "null"}:
        raise SchemaFault(f"{path}.type", "is not the type beside the list.")
    return option


def _check_text(text: str, path: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise SchemaFault(path, "has half a surrogate pair") from None
