"""Twenty schemas of every kind, each with a question that an answer of that form could have."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A schema as a client writes it, the same as JSON Schema, and what is asked."""

    name: str
    question: str
    config: dict[str, Any]  # what the generationConfig says of the form
    json_schema: dict[str, Any]


def _openapi(name: str, question: str, schema: Any, json_schema: Any) -> Case:
    config = {"responseMimeType": "application/json", "responseSchema": schema}
    return Case(name=name, question=question, config=config, json_schema=json_schema)


def _json(name: str, question: str, schema: Any) -> Case:
    config = {"responseMimeType": "application/json", "responseJsonSchema": schema}
    return Case(name=name, question=question, config=config, json_schema=schema)


def _object(properties: dict[str, Any], required: list[str] | None = None, **more: Any) -> Any:
    wanted = list(properties) if required is None else required
    return {"type": "object", "properties": properties, "required": wanted} | more


STRING, INTEGER = {"type": "string", "maxLength": 16}, {"type": "integer"}
ADDRESS = _object({name: {"type": "string", "maxLength": 9} for name in ("street", "city")})

CASES = [
    _openapi(
        "recipes",
        "List two cookie recipes.",
        {
            "type": "ARRAY",
            "minItems": 1,
            "maxItems": "2",
            "items": {
                "type": "OBJECT",
                "properties": {
                    "recipeName": {"type": "STRING", "maxLength": 20, "nullable": False},
                    "ingredients": {
                        "type": "ARRAY",
                        "minItems": "1",
                        "maxItems": "2",
                        "items": {"type": "STRING", "maxLength": "16"},
                    },
                },
                "required": ["recipeName"],
            },
        },
        {
            "type": "array",
            "minItems": 1,
            "maxItems": 2,
            "items": _object(
                {
                    "recipeName": {"type": "string", "maxLength": 20},
                    "ingredients": {
                        "type": "array",
                        "minItems": 1,
                        "maxItems": 2,
                        "items": {"type": "string", "maxLength": 16},
                    },
                },
                ["recipeName"],
            ),
        },
    ),
    _openapi(
        "ordering",
        "Describe a person.",
        {
            "type": "OBJECT",
            "properties": {
                "age": {"type": "INTEGER"},
                "name": {"type": "STRING", "maxLength": 16},
                "born_in": {"type": "STRING", "maxLength": 16},
            },
            "required": ["age", "name", "born_in"],
            "property_ordering": ["name", "born_in", "age"],
        },
        _object({"name": STRING, "born_in": STRING, "age": INTEGER}),
    ),
    _openapi(
        "nullable",
        "Is there a middle name?",
        {
            "type": "object",
            "properties": {
                "middle": {"type": "string", "nullable": True, "maxLength": 20},
                "known": {"type": "boolean"},
            },
            "required": ["middle", "known"],
        },
        _object({"middle": {"type": ["string", "null"]}, "known": {"type": "boolean"}}),
    ),
    _openapi(
        "colour",
        "Which colour has the sky?",
        {"type": "STRING", "enum": ["red", "sky blue", "green"]},
        {"enum": ["red", "sky blue", "green"]},
    ),
    _openapi(
        "any of",
        "Give an amount or say none.",
        {
            "type": "OBJECT",
            "properties": {
                "amount": {
                    "anyOf": [{"type": "INTEGER", "minimum": 1, "maximum": 99}, {"type": "NULL"}]
                },
                "unit": {"anyOf": [{"type": "STRING", "enum": ["g", "kg"]}, {"type": "BOOLEAN"}]},
            },
            "required": ["amount", "unit"],
        },
        _object(
            {
                "amount": {
                    "anyOf": [{"type": "integer", "minimum": 1, "maximum": 99}, {"type": "null"}]
                },
                "unit": {"anyOf": [{"enum": ["g", "kg"]}, {"type": "boolean"}]},
            }
        ),
    ),
    _openapi(
        "integer bounds",
        "How old is the captain?",
        {
            "type": "OBJECT",
            "properties": {
                "years": {"type": "INTEGER", "minimum": 17, "maximum": 342},
                "degrees": {"type": "INTEGER", "minimum": -40, "maximum": -3},
            },
            "required": ["years", "degrees"],
        },
        _object(
            {
                "years": {"type": "integer", "minimum": 17, "maximum": 342},
                "degrees": {"type": "integer", "minimum": -40, "maximum": -3},
            }
        ),
    ),
    _openapi(
        "number bounds",
        "How sure are you, from 0 to 1?",
        {
            "type": "OBJECT",
            "properties": {
                "confidence": {"type": "NUMBER", "minimum": 0, "maximum": 1},
                "offset": {"type": "NUMBER", "minimum": -1.25, "maximum": 3.5},
            },
            "required": ["confidence", "offset"],
        },
        _object(
            {
                "confidence": {"type": "number", "minimum": 0, "maximum": 1},
                "offset": {"type": "number", "minimum": -1.25, "maximum": 3.5},
            }
        ),
    ),
    _openapi(
        "pattern",
        "Which flight is it?",
        {
            "type": "OBJECT",
            "properties": {"flight": {"type": "STRING", "pattern": "^[A-Z]{2}\\d{3,4}[a-z]?$"}},
            "required": ["flight"],
        },
        _object({"flight": {"type": "string", "pattern": "^[A-Z]{2}\\d{3,4}[a-z]?$"}}),
    ),
    _openapi(
        "date",
        "When was the first moon landing?",
        {
            "type": "OBJECT",
            "properties": {"at": {"type": "STRING", "format": "date-time"}},
            "required": ["at"],
        },
        _object({"at": {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T"}}),
    ),
    _openapi(
        "unicode",
        "Nenne eine Stadt.",
        {
            "type": "OBJECT",
            "properties": {
                "größe": {"type": "STRING", "enum": ["klein", "groß", "riesig 🏙"]},
                "名前": {"type": "STRING", "minLength": 2, "maxLength": 8},
            },
            "required": ["größe", "名前"],
        },
        _object(
            {
                "größe": {"enum": ["klein", "groß", "riesig 🏙"]},
                "名前": {"type": "string", "minLength": 2, "maxLength": 8},
            }
        ),
    ),
    _json("nested", "Where does she live?", _object({"who": STRING, "home": ADDRESS})),
    _json(
        "optional",
        "Tell of a book.",
        _object({"title": STRING, "year": INTEGER, "pages": INTEGER}, ["year"]),
    ),
    _json(
        "all optional",
        "Tell of a film.",
        _object({"title": STRING, "year": INTEGER, "sequel": {"type": "boolean"}}, []),
    ),
    _json(
        "references",
        "Who sends it to whom?",
        _object(
            {"from": {"$ref": "#/$defs/Address"}, "to": {"$ref": "#/$defs/Address"}},
            **{"$defs": {"Address": ADDRESS}},
        ),
    ),
    _json(
        "tree",
        "Draw a tree of two animals.",
        _object(
            {
                "value": {"type": "string", "maxLength": 12},
                "children": {"type": "array", "maxItems": 1, "items": {"$ref": "#"}},
            },
            ["value"],
        ),
    ),
    _json(
        "one of",
        "Is it a cat or a dog?",
        {
            "oneOf": [
                _object({"kind": {"const": "cat"}, "lives": {"type": "integer", "maximum": 9}}),
                _object({"kind": {"const": "dog"}, "name": STRING}),
            ]
        },
    ),
    _json(
        "tuple",
        "Where is it?",
        {
            "type": "array",
            "prefixItems": [{"type": "number"}, {"type": "number"}, {"enum": ["N", "S"]}],
            "items": False,
            "minItems": 3,
        },
    ),
    _json(
        "dictionary",
        "Count the fruits.",
        {
            "type": "object",
            "additionalProperties": {"type": "integer", "minimum": 0, "maximum": 9},
            "maxProperties": 3,
        },
    ),
    _json(
        "open bounds",
        "What share is it?",
        _object(
            {
                "share": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
                "rank": {"type": "integer", "exclusiveMinimum": 0},
            }
        ),
    ),
    _json(
        "many types",
        "Say something of any kind.",
        {
            "type": "array",
            "minItems": 2,
            "maxItems": 3,
            "items": {"type": ["boolean", "integer", "null"]},
        },
    ),
]
