"""From a schema to the structure that engines hold to and answers are proved by."""

from typing import Any

from toplu.structured.bounds import SchemaBounds, check_bounds
from toplu.structured.dialect import read_dialect
from toplu.structured.grammar import write_rule
from toplu.structured.schema_fault import SchemaFault
from toplu.structured.structure import Structure
from toplu.structured.validator import SchemaValidator, check_satisfiable


def compile_schema(schema: Any, path: str, bounds: SchemaBounds) -> Structure:
    """Return the structure, or raise SchemaFault with a place below `path`.

    It takes milliseconds as a rule, seconds for the heaviest schemas within the bounds.
    """
    check_bounds(schema, path, bounds)
    draft, read = read_dialect(schema)
    try:
        validator = SchemaValidator(read, draft, path)
        check_satisfiable(read, draft, path)
        rule = write_rule(read, path, bounds)
    except RecursionError:
        raise SchemaFault(path, "is nested too deep to be compiled.") from None
    return Structure(json_schema=schema, rule=rule, validator=validator)
