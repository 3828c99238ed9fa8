"""Reads which functions a request declares, and which calls it wants or forbids."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, TypeVar

import msgspec

from toplu.engines.calls import Function, Functions
from toplu.engines.functions.grammar import write_call_rules
from toplu.structured import gemini_schema
from toplu.structured.bounds import SchemaBounds
from toplu.structured.compiler import OPTIONS_OF_ENGINES
from toplu.structured.grammar import raise_too_large
from toplu.structured.guard.guarded import compile_schema, compile_validator, grammar_error
from toplu.structured.held_schema import without
from toplu.structured.schema_fault import SchemaFault, in_snake_case, printable, raise_fault
from toplu.structured.structure import write_whole
from toplu.structured.validator import Validator
from toplu.wire.gemini.content import GenerateContentRequest, GenerationConfig
from toplu.wire.gemini.tool import FunctionCallingConfig, FunctionDeclaration, Mode

T = TypeVar("T")

FUNCTIONS_MAX = 128
KEPT_MAX = 64  # sets of functions; the lines of a batch tend to share theirs
KEPT_CHARACTERS_MAX = 256 * 1024  # of a set
NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_.:-]{0,127}")
NAME_RULE = (
    "Invalid function name. Must start with a letter or an underscore. Must be alphanumeric "
    "(a-z, A-Z, 0-9), underscores (_), dots (.), colons (:), or dashes (-), with a maximum "
    "length of 128."
)
CONFIG_PATH = "tool_config.function_calling_config"
NAMES_PATH = f"{CONFIG_PATH}.allowed_function_names"
FORCED = (Mode.ANY, Mode.VALIDATED)

NO_ARGUMENTS: dict[str, Any] = {"type": "object", "properties": {}}
NONE_AT_ALL = NO_ARGUMENTS | {"additionalProperties": False}
# Keywords without which a schema says nothing of any argument.
TELLING = (
    "properties",
    "required",
    "additionalProperties",
    "patternProperties",
    "minProperties",
    "maxProperties",
    "$ref",
    "enum",
    "const",
    "anyOf",
    "oneOf",
    "allOf",
)


def function_violations(
    request: GenerateContentRequest, bounds: SchemaBounds
) -> Iterator[tuple[str, str]]:
    """Yield the path and the reason of everything wrong with the functions of a request."""
    if request.tools is None and request.tool_config is None:
        return
    declared = list(_declarations(request))
    yield from _config_violations(request, {each.name for _, each in declared})
    if not declared:
        return
    yield from _company_violations(request)
    if len(declared) > FUNCTIONS_MAX:
        yield "tools", f"there must be at most {FUNCTIONS_MAX} function declarations."
        return
    names: set[str] = set()
    for path, each in declared:
        name = each.name or ""
        if not NAME.fullmatch(name):
            yield f"{path}.name", NAME_RULE
        elif name in names:
            yield f"{path}.name", f"Duplicate function declaration found: {name}"
        if each.parameters is not None and each.parameters_json_schema is not None:
            reason = "only one of parameters and parameters_json_schema may be set."
            yield f"{path}.parameters_json_schema", reason
        names.add(name)
    try:
        read_functions(request, bounds)
    except SchemaFault as fault:
        yield printable(fault.path), printable(fault.reason)


def _config_violations(
    request: GenerateContentRequest, names: set[str | None]
) -> Iterator[tuple[str, str]]:
    config = _calling_config(request)
    allowed = config.allowed_function_names or []
    if (allowed or config.mode in FORCED) and not names:
        yield CONFIG_PATH, "Function calling config is set without function_declarations."
        return
    if allowed and config.mode not in FORCED:
        yield NAMES_PATH, "may only be set if the mode is ANY or VALIDATED."
    for index, name in enumerate(allowed):
        if name not in names:
            yield f"{NAMES_PATH}[{index}]", "is no function that the request declares."


def _company_violations(request: GenerateContentRequest) -> Iterator[tuple[str, str]]:
    """Yield what functions cannot stand beside."""
    for index, tool in enumerate(request.tools or []):
        if tool.searches:
            yield f"tools[{index}]", "Tool use with function calling is unsupported"
    config = request.generation_config or GenerationConfig()
    if config.response_mime_type not in (None, "", "text/plain"):
        reason = f"Function calling with a response mime type: '{config.response_mime_type}' is"
        yield "generation_config.response_mime_type", f"{reason} unsupported"
    if config.stop_sequences and _calling_config(request).mode == Mode.ANY:
        reason = "a stop sequence would leave half a function call."
        yield "generation_config.stop_sequences", reason


def read_functions(request: GenerateContentRequest, bounds: SchemaBounds) -> Functions | None:
    """Return what may be called, None if nothing may, or raise SchemaFault."""
    declared = list(_declarations(request))
    config = _calling_config(request)
    if not declared or config.mode == Mode.NONE:
        return None
    key = _key(declared)
    allowed = frozenset(config.allowed_function_names or [])
    read = _compiled if len(key) <= KEPT_CHARACTERS_MAX else _compile
    return raise_fault(read(key, allowed, bounds, must_call=wants_call(request)))


def _compile(
    key: str, allowed: frozenset[str], bounds: SchemaBounds, *, must_call: bool
) -> Functions | SchemaFault:
    try:
        return _compile_functions(key, allowed, bounds, must_call=must_call)
    except SchemaFault as fault:
        return fault


def _compile_functions(
    key: str, allowed: frozenset[str], bounds: SchemaBounds, *, must_call: bool
) -> Functions:
    functions = [_read(each, path, bounds) for path, each in _read_key(key)]
    callable_ = tuple(each for each in functions if not allowed or each.name in allowed)
    rules = write_call_rules(callable_, must_call=must_call)
    is_guarded = any(each.arguments.validator.is_guarded for each in functions)
    if grammar_error(write_whole(f"start: answer\n{rules}"), bounds, is_guarded=is_guarded):
        raise_too_large("tools", bounds)
    return Functions(declared=tuple(functions), allowed=callable_, must_call=must_call, rules=rules)


_compiled = lru_cache(maxsize=KEPT_MAX)(_compile)


def _declarations(request: GenerateContentRequest) -> Iterator[tuple[str, FunctionDeclaration]]:
    for at, tool in enumerate(request.tools or []):
        for index, declaration in enumerate(tool.function_declarations or []):
            yield f"tools[{at}].function_declarations[{index}]", declaration


def _calling_config(request: GenerateContentRequest) -> FunctionCallingConfig:
    config = None if request.tool_config is None else request.tool_config.function_calling_config
    return config or FunctionCallingConfig()


def read_validators(
    request: GenerateContentRequest, bounds: SchemaBounds
) -> Mapping[str, Validator] | None:
    """Return what proves the arguments of each function that may be called, or raise SchemaFault.

    None: the request declares no functions.
    """
    declared = list(_declarations(request))
    if not declared:
        return None
    config = _calling_config(request)
    if config.mode == Mode.NONE:
        return {}
    allowed = frozenset(config.allowed_function_names or [])
    key = _key(declared)
    read = _compiled_validators if len(key) <= KEPT_CHARACTERS_MAX else _compile_validators
    return raise_fault(read(key, allowed, bounds))


def wants_call(request: GenerateContentRequest) -> bool:
    """Return whether the answer has to call a function."""
    return _calling_config(request).mode == Mode.ANY


def _compile_validators(
    key: str, allowed: frozenset[str], bounds: SchemaBounds
) -> dict[str, Validator] | SchemaFault:
    try:
        return {
            each.name or "": _compiled_arguments(each, path, bounds, compile_validator)
            for path, each in _read_key(key)
            if not allowed or each.name in allowed
        }
    except SchemaFault as fault:
        return fault


_compiled_validators = lru_cache(maxsize=KEPT_MAX)(_compile_validators)


def _key(declared: list[tuple[str, FunctionDeclaration]]) -> str:
    return json.dumps([(path, msgspec.to_builtins(each)) for path, each in declared])


def _read_key(key: str) -> Iterator[tuple[str, FunctionDeclaration]]:
    for path, fields in json.loads(key):
        yield path, msgspec.convert(fields, FunctionDeclaration)


def _read(declaration: FunctionDeclaration, path: str, bounds: SchemaBounds) -> Function:
    schema, _ = _parameters(declaration, path)
    arguments = _compiled_arguments(declaration, path, bounds, compile_schema)
    description = _description(declaration, path)
    _check_text([description, schema], path)
    return Function(
        name=declaration.name or "",
        description=description,
        parameters=without(schema, OPTIONS_OF_ENGINES),
        arguments=arguments,
    )


def _compiled_arguments(
    declaration: FunctionDeclaration,
    path: str,
    bounds: SchemaBounds,
    compile_as: Callable[[Any, str, SchemaBounds], T],
) -> T:
    schema, at = _parameters(declaration, path)
    if not _is_object(schema):
        raise SchemaFault(at, "must describe an object.")
    held = NONE_AT_ALL if isinstance(schema, dict) and _asks_for_nothing(schema) else schema
    try:
        return compile_as(held, at, bounds)
    except SchemaFault as fault:
        if declaration.parameters is None:
            raise
        raise SchemaFault(in_snake_case(fault.path), fault.reason) from fault


def _parameters(declaration: FunctionDeclaration, path: str) -> tuple[Any, str]:
    """Return the JSON Schema of the arguments, and where it stands."""
    at = f"{path}.parameters"
    schema: Any = NO_ARGUMENTS
    if declaration.parameters is not None:
        schema = gemini_schema.to_json_schema(declaration.parameters, at)
    elif declaration.parameters_json_schema is not None:
        at = f"{path}.parameters_json_schema"
        given = declaration.parameters_json_schema
        schema = NO_ARGUMENTS if given is True else given
    untyped = isinstance(schema, dict) and "type" not in schema and _asks_for_nothing(schema)
    return (NO_ARGUMENTS | schema if untyped else schema), at


def _asks_for_nothing(schema: dict[str, Any]) -> bool:
    """Return whether the schema names no argument, which the API takes for a function of none."""
    return not any(schema.get(name) for name in TELLING)


def _is_object(schema: Any) -> bool:
    """Return whether the schema describes an object, or leaves it to what it refers to."""
    if not isinstance(schema, dict):
        return schema is not False  # anything else is no schema
    kind = schema.get("type", "object")
    return kind == "object" or (isinstance(kind, list) and "object" in kind)


def _description(declaration: FunctionDeclaration, path: str) -> str:
    """Return the description of the function and of its result."""
    given = declaration.response_json_schema
    if declaration.response is not None:
        given = gemini_schema.to_json_schema(declaration.response, f"{path}.response")
    texts = [declaration.description or ""]
    if given is not None:
        texts.append(f"Its result is JSON of this schema: {json.dumps(given, ensure_ascii=False)}")
    return "\n".join(filter(None, texts))


def _check_text(value: Any, path: str) -> None:
    """Raise SchemaFault if a value could not be written for a model."""
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError:
        raise SchemaFault(path, "has half a surrogate pair.") from None
    except ValueError:
        raise SchemaFault(path, "has a number that JSON does not have.") from None
