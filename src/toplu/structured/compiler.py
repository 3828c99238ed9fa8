"""From a schema to the structure that engines hold to and answers are proved by."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from toplu.structured.bounds import SchemaBounds, check_bounds
from toplu.structured.dialect import read_dialect
from toplu.structured.grammar import find_held, write_rule
from toplu.structured.held_schema import without
from toplu.structured.schema_fault import SchemaFault
from toplu.structured.structure import Structure
from toplu.structured.validator import SchemaValidator, check_satisfiable

# Options of llguidance that a schema may carry; an engine takes them from us alone.
OPTIONS_OF_ENGINES = frozenset({"x-guidance"})


def compile_schema(schema: Any, path: str, bounds: SchemaBounds) -> Structure:
    """Return the structure, or raise SchemaFault with a place below `path`.

    It takes milliseconds as a rule, seconds for the heaviest schemas within the bounds.
    """
    validator, read = _validated(schema, path, bounds)
    with _depth_bounded(path):
        held = find_held(read, path, bounds)
    plain = without(schema, OPTIONS_OF_ENGINES)
    return Structure(
        json_schema=plain, held_schema=held, rule=write_rule(held), validator=validator
    )


def compile_validator(schema: Any, path: str, bounds: SchemaBounds) -> SchemaValidator:
    """Return what proves answers that others hold, or raise SchemaFault as `compile_schema`."""
    return _validated(schema, path, bounds)[0]


def _validated(schema: Any, path: str, bounds: SchemaBounds) -> tuple[SchemaValidator, Any]:
    """Return the validator, and the schema as its draft has it."""
    check_bounds(schema, path, bounds)
    draft, read = read_dialect(schema)
    with _depth_bounded(path):
        validator = SchemaValidator(read, draft, path)
        check_satisfiable(read, draft, path)
    return validator, read


@contextmanager
def _depth_bounded(path: str) -> Iterator[None]:
    try:
        yield
    except RecursionError:
        raise SchemaFault(path, "is nested too deep to be compiled.") from None
