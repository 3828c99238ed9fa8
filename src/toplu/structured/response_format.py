"""Reads what form a request wants its answer to have, and makes the grammar of it."""

import json
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import msgspec

from toplu.structured import gemini_schema as openapi
from toplu.structured.grammar import write_grammar
from toplu.structured.schema_reader import in_snake_case, read_shape, shown
from toplu.structured.shape import (
    TOO_MANY_STATES,
    Anything,
    Literals,
    SchemaFault,
    Shape,
    Structure,
)
from toplu.wire.gemini.content import GenerationConfig
from toplu.wire.gemini.schema import Schema

TEXT, JSON, ENUM = "text/plain", "application/json", "text/x.enum"
# Google has these two as well, and without a schema to go with them.
OTHERS = ("application/xml", "application/yaml")

OPENAPI_PATH = "generation_config.response_schema"
JSON_SCHEMA_PATH = "generation_config.response_json_schema"
MIME_PATH = "generation_config.response_mime_type"


def structure_violations(config: GenerationConfig) -> Iterator[tuple[str, str]]:
    """Yield the path and the reason of everything wrong with the form that is asked for."""
    mime_type = config.response_mime_type or TEXT
    schemas = [config.response_schema is not None, config.response_json_schema is not None]
    if mime_type not in (TEXT, JSON, ENUM, *OTHERS):
        allowed = ", ".join(f"`{name}`" for name in (TEXT, JSON, *OTHERS))
        yield MIME_PATH, f"allowed mimetypes are {allowed} and `{ENUM}`."
    elif all(schemas):
        yield JSON_SCHEMA_PATH, "only one of response_schema and response_json_schema may be set."
    elif any(schemas) and mime_type not in (JSON, ENUM):
        yield MIME_PATH, f"a response schema needs `{JSON}` or `{ENUM}`, not `{mime_type}`."
    elif mime_type == ENUM and not any(schemas):
        yield MIME_PATH, f"`{ENUM}` needs a response schema with an enum."
    elif mime_type in (JSON, ENUM):
        if config.stop_sequences:
            reason = "a stop sequence would leave an answer that is not of the form asked for."
            yield "generation_config.stop_sequences", reason
        try:
            read_structure(config)
        except SchemaFault as fault:
            yield shown(fault.path), shown(fault.reason)


def read_structure(config: GenerationConfig) -> Structure | None:
    """Return the form that is asked for, None if it is free, or raise SchemaFault."""
    if config.response_mime_type not in (JSON, ENUM):
        return None
    bare = config.response_mime_type == ENUM
    if config.response_schema is not None:
        try:
            schema = msgspec.json.encode(config.response_schema)
        except UnicodeEncodeError:
            raise SchemaFault(OPENAPI_PATH, "has half a surrogate pair.") from None
        return _structure_of_schema(schema, bare=bare)
    if config.response_json_schema is not None:
        try:
            key = json.dumps(config.response_json_schema)
        except (ValueError, RecursionError) as error:
            raise SchemaFault(JSON_SCHEMA_PATH, f"is not JSON: {error}") from error
        return _structure_of_json_schema(key, bare=bare)
    return _free_structure()


# The lines of a batch tend to share one schema; what is kept is bounded in number and size.
@lru_cache(maxsize=64)
def _structure_of_schema(schema: bytes, *, bare: bool) -> Structure:
    try:
        written = openapi.to_json_schema(msgspec.json.decode(schema, type=Schema), OPENAPI_PATH)
        return _structure(written, OPENAPI_PATH, bare=bare)
    except SchemaFault as fault:
        raise SchemaFault(in_snake_case(fault.path), fault.reason) from fault


@lru_cache(maxsize=64)
def _structure_of_json_schema(schema: str, *, bare: bool) -> Structure:
    return _structure(json.loads(schema), JSON_SCHEMA_PATH, bare=bare)


@lru_cache(maxsize=1)
def _free_structure() -> Structure:
    shape = Anything(only_containers=True)
    grammar = write_grammar(shape, {}, OPENAPI_PATH)
    return Structure(
        shape=shape, definitions={}, json_schema={"type": ["object", "array"]}, grammar=grammar
    )


def _structure(schema: Any, path: str, *, bare: bool) -> Structure:
    shape, definitions, _ = read_shape(schema, path)
    texts = _bare_texts(shape, path) if bare else ()
    try:
        grammar = write_grammar(shape, definitions, path, bare=texts)
    except RecursionError:
        raise SchemaFault(path, TOO_MANY_STATES) from None
    return Structure(
        shape=shape, definitions=definitions, json_schema=schema, grammar=grammar, bare=bare
    )


def _bare_texts(shape: Shape, path: str) -> tuple[str, ...]:
    """Return the strings of an enum, to be said without quotes."""
    values = [json.loads(text) for text in shape.texts] if isinstance(shape, Literals) else []
    if not values or not all(isinstance(value, str) and value for value in values):
        raise SchemaFault(f"{path}.enum", f"`{ENUM}` needs an enum of strings.")
    if any("\0" in value for value in values):
        raise SchemaFault(f"{path}.enum", "has a value that is no text.")
    return tuple(values)
