"""The schema that answers are to keep to, whose fields become columns."""

import json
from pathlib import Path
from typing import Any

from toplu.errors import ConfigurationError
from toplu.tables.table import Column, Kind

KINDS = {
    "string": Kind.TEXT,
    "integer": Kind.INTEGER,
    "number": Kind.NUMBER,
    "boolean": Kind.BOOLEAN,
}
INTEGER_MIN, INTEGER_MAX = -(2**63), 2**63 - 1


class AnswerSchema:
    """A JSON schema, or a schema as the Gemini API writes them (`"type": "OBJECT"`)."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self.schema = schema
        is_geminis = str(schema.get("type", "")).isupper()
        self.field = "responseSchema" if is_geminis else "responseJsonSchema"
        properties = schema.get("properties")
        self.columns = tuple(
            Column(name, _kind_of(rule))
            for name, rule in (properties if isinstance(properties, dict) else {}).items()
        )

    @classmethod
    def read(cls, path: Path) -> "AnswerSchema":
        """Return the schema in the file, or raise ConfigurationError that says what is wrong."""
        try:
            schema = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from error
        except (ValueError, RecursionError) as error:
            raise ConfigurationError(f"{path}: is not JSON: {error}") from error
        if not isinstance(schema, dict):
            raise ConfigurationError(f"{path}: is no schema: a schema is a JSON object")
        return cls(schema)

    def cells(self, answer: Any) -> list[Any]:
        """Return an answer's fields; ValueError if it cannot be put into the columns."""
        if not isinstance(answer, dict):
            raise TypeError("the answer is no JSON object")
        return [_cell(column, answer.get(column.name)) for column in self.columns]


def _kind_of(rule: Any) -> Kind:
    kinds = rule.get("type") if isinstance(rule, dict) else None
    named = [kinds] if isinstance(kinds, str) else kinds if isinstance(kinds, list) else []
    named = [str(kind).lower() for kind in named if kind != "null"]
    return KINDS.get(named[0], Kind.JSON) if len(named) == 1 else Kind.JSON


def _cell(column: Column, value: Any) -> Any:
    if value is None or column.kind is Kind.JSON:
        return value
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    match column.kind:
        case Kind.INTEGER if is_number and value == int(value):
            if INTEGER_MIN <= value <= INTEGER_MAX:
                return int(value)
        case Kind.NUMBER if is_number:
            return value
        case Kind.BOOLEAN if isinstance(value, bool):
            return value
        case Kind.TEXT if isinstance(value, str):
            return value
        case _:
            pass
    raise ValueError(f"{column.name} is no {column.kind.value} that fits its column")
