"""Reads the form that a request wants its answer to have, and compiles it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import msgspec

from toplu.structured import gemini_schema
from toplu.structured.bounds import SchemaBounds
from toplu.structured.grammar import raise_too_large, write_literals
from toplu.structured.guard.guarded import compile_schema, compile_validator, grammar_error
from toplu.structured.schema_fault import SchemaFault, in_snake_case, printable, raise_fault
from toplu.structured.structure import Proof, Structure, write_whole
from toplu.wire.gemini.content import GenerationConfig
from toplu.wire.gemini.schema import Schema

TEXT, JSON, ENUM = "text/plain", "application/json", "text/x.enum"
# Google has these two as well, and without a schema to go with them.
OTHERS = ("application/xml", "application/yaml")

FREE = {"type": ["object", "array"]}  # JSON without a schema
KEY_FACTOR = 6  # bytes of an escape, of a character that has one byte or more

OPENAPI_PATH = "generation_config.response_schema"
JSON_SCHEMA_PATH = "generation_config.response_json_schema"
MIME_PATH = "generation_config.response_mime_type"


def structure_violations(
    config: GenerationConfig, bounds: SchemaBounds
) -> Iterator[tuple[str, str]]:
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
            read_structure(config, bounds)
        except SchemaFault as fault:
            yield printable(fault.path), printable(fault.reason)


def read_structure(config: GenerationConfig, bounds: SchemaBounds) -> Structure | None:
    """Return the form that is asked for, None if it is free, or raise SchemaFault.

    What has been compiled lately is kept. The first time takes milliseconds as a rule, seconds
    for the heaviest schemas, in which other threads run.
    """
    form = _read_form(config, bounds, without_schema=FREE)
    return None if form is None else raise_fault(_compiled(form, bounds))


def read_proof(config: GenerationConfig, bounds: SchemaBounds) -> Proof | None:
    """Return the proof of answers that another server holds to the form, None if it is free.

    Without a schema any JSON will do. SchemaFault: the schema is none.
    """
    form = _read_form(config, bounds, without_schema=True)
    return None if form is None else raise_fault(_compiled_proof(form, bounds))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Form:
    """The form as it is asked for; equal ones are compiled once."""

    path: str
    text: bytes  # JSON
    bare: bool

    def read(self) -> Any:
        """Return the JSON Schema, or raise SchemaFault for what the API itself would refuse."""
        if self.path == OPENAPI_PATH:
            return gemini_schema.to_json_schema(
                msgspec.json.decode(self.text, type=Schema), self.path
            )
        return json.loads(self.text)


def _read_form(
    config: GenerationConfig, bounds: SchemaBounds, *, without_schema: Any
) -> _Form | None:
    if config.response_mime_type not in (JSON, ENUM):
        return None
    bare = config.response_mime_type == ENUM
    if config.response_schema is not None:
        try:
            text = msgspec.json.encode(config.response_schema)
        except UnicodeEncodeError:
            raise SchemaFault(OPENAPI_PATH, "has half a surrogate pair.") from None
        return _Form(path=OPENAPI_PATH, text=text, bare=bare)
    if config.response_json_schema is None:
        return _Form(path=JSON_SCHEMA_PATH, text=json.dumps(without_schema).encode(), bare=False)
    try:
        text = json.dumps(config.response_json_schema).encode()
    except (ValueError, RecursionError) as error:
        raise SchemaFault(JSON_SCHEMA_PATH, f"is not JSON: {error}") from error
    if len(text) > bounds.bytes_max * KEY_FACTOR:
        reason = f"is larger than schema_bytes_max = {bounds.bytes_max}."
        raise SchemaFault(JSON_SCHEMA_PATH, reason)
    return _Form(path=JSON_SCHEMA_PATH, text=text, bare=bare)


# The lines of a batch tend to share one schema; what is kept is bounded in number and size. Faults
# are kept too, for finding one may take seconds.
@lru_cache(maxsize=64)
def _compiled(form: _Form, bounds: SchemaBounds) -> Structure | SchemaFault:
    try:
        with _faults_placed(form):
            return _compile(form, bounds)
    except SchemaFault as fault:
        return fault


@lru_cache(maxsize=64)
def _compiled_proof(form: _Form, bounds: SchemaBounds) -> Proof | SchemaFault:
    try:
        with _faults_placed(form):
            validator = compile_validator(form.read(), form.path, bounds)
            return Proof(validator=validator, bare=form.bare)
    except SchemaFault as fault:
        return fault


def _compile(form: _Form, bounds: SchemaBounds) -> Structure:
    schema = form.read()
    structure = compile_schema(schema, form.path, bounds)
    if not form.bare:
        return structure
    rule = write_literals(_bare_texts(schema, structure, form.path))
    is_guarded = structure.validator.is_guarded
    if grammar_error(write_whole(f"start: {rule}\n"), bounds, is_guarded=is_guarded):
        raise_too_large(form.path, bounds)
    return replace(structure, rule=rule, bare=True)


@contextmanager
def _faults_placed(form: _Form) -> Iterator[None]:
    """Have the fault of a `Schema` name its fields as proto does."""
    try:
        yield
    except SchemaFault as fault:
        if form.path == OPENAPI_PATH:
            raise SchemaFault(in_snake_case(fault.path), fault.reason) from fault
        raise


def _bare_texts(schema: Any, structure: Structure, path: str) -> tuple[str, ...]:
    """Return the strings of an enum, to be written without quotes."""
    values = schema.get("enum") if isinstance(schema, dict) else None
    if not values or not all(isinstance(value, str) and value for value in values):
        raise SchemaFault(f"{path}.enum", f"`{ENUM}` needs an enum of strings.")
    if any("\0" in value for value in values):
        raise SchemaFault(f"{path}.enum", "has a value that is no text.")
    return tuple(structure.validator.keep_valid(values))
