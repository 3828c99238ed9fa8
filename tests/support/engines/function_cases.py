"""Functions of every kind that a client declares, each with a question that it could answer."""

from dataclasses import dataclass
from typing import Any

from toplu.engines.calls import Functions
from toplu.engines.functions.declarations import read_functions
from toplu.structured.bounds import SchemaBounds
from toplu.wire.gemini import proto_json
from toplu.wire.gemini.content import GenerateContentRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionCase:
    """A declaration as a client writes it, the schema of its arguments, and what is asked."""

    question: str
    declaration: dict[str, Any]
    json_schema: dict[str, Any]

    @property
    def name(self) -> str:
        name: str = self.declaration["name"]
        return name


def _json(name: str, question: str, properties: dict[str, Any], **more: Any) -> FunctionCase:
    schema = {"type": "object", "properties": properties, "required": list(properties)} | more
    declaration = {"name": name, "parametersJsonSchema": schema}
    return FunctionCase(question=question, declaration=declaration, json_schema=schema)


SHORT = {"type": "string", "minLength": 1, "maxLength": 12}

CASES = [
    FunctionCase(
        question="What is the weather in Paris?",
        declaration={
            "name": "get_weather",
            "description": "Tells the weather of a city.",
            "parameters": {
                "type": "OBJECT",
                "properties": {
                    "city": {"type": "STRING", "description": "Its name.", "maxLength": "16"},
                    "unit": {"type": "STRING", "enum": ["celsius", "fahrenheit"]},
                },
                "required": ["city", "unit"],
            },
        },
        json_schema={
            "type": "object",
            "properties": {
                "city": {"type": "string", "maxLength": 16},
                "unit": {"enum": ["celsius", "fahrenheit"]},
            },
            "required": ["city", "unit"],
            "additionalProperties": False,
        },
    ),
    FunctionCase(
        question="What time is it?",
        declaration={"name": "get_time"},
        json_schema={"type": "object", "maxProperties": 0},
    ),
    _json(
        "lights.set",
        "Make the lights in the kitchen dim.",
        {
            "room": {"type": "string", "enum": ["kitchen", "hall", "salle à manger 🍽"]},
            "brightness": {"type": "integer", "minimum": 0, "maximum": 100},
            "colour": {"type": "string", "pattern": "^#[0-9a-f]{6}$"},
        },
    ),
    _json(
        "book-table",
        "Book a table for two on the first of May.",
        {
            "date": {"type": "string", "format": "date"},
            "guests": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"name": SHORT, "child": {"type": "boolean"}},
                    "required": ["name"],
                },
                "minItems": 1,
                "maxItems": 2,
            },
        },
    ),
    _json(
        "file:tree",
        "Show me a folder with a file in it.",
        {"root": {"$ref": "#/$defs/node"}},
        **{
            "$defs": {
                "node": {
                    "type": "object",
                    "properties": {
                        "name": SHORT,
                        "inner": {"type": "array", "items": {"$ref": "#/$defs/node"}},
                    },
                    "required": ["name"],
                }
            }
        },
    ),
    _json(
        "convert",
        "Convert 12.5 metres.",
        {
            "amount": {"type": "number", "exclusiveMinimum": 0, "maximum": 1000},
            "target": {"anyOf": [{"const": "feet"}, {"const": "yards"}, {"type": "null"}]},
        },
    ),
]


def functions_of(declarations: list[dict[str, Any]], **config: Any) -> Functions:
    """Return what an engine gets of the declarations under this `functionCallingConfig`."""
    fields = {
        "tools": [{"functionDeclarations": declarations}],
        "toolConfig": {"functionCallingConfig": config},
    }
    functions = read_functions(
        proto_json.read_value(GenerateContentRequest, fields), SchemaBounds()
    )
    assert functions is not None
    return functions
