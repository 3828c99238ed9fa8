"""Forms of an answer that requests ask for: served with a plain answer, or refused."""

import json
from typing import Any

JSON = {"responseMimeType": "application/json"}
PERSON = {
    "type": "OBJECT",
    "properties": {"age": {"type": "INTEGER", "minimum": 18}, "name": {"type": "STRING"}},
    "required": ["age", "name"],
    "propertyOrdering": ["name", "age"],
}
PERSON_JSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 18}},
    "required": ["name", "age"],
}
SAID = '{"name": "", "age": 100}'
COLOUR = {"type": "STRING", "enum": ["blue", "red"]}

# What a generationConfig asks for, and the plain answer of that form.
ANSWERS: list[tuple[dict[str, Any], str]] = [
    (JSON, "{}"),
    (JSON | {"responseSchema": PERSON}, SAID),
    (JSON | {"response_schema": json.loads(json.dumps(PERSON).replace("OBJECT", "object"))}, SAID),
    (JSON | {"responseJsonSchema": PERSON_JSON}, SAID),
    (JSON | {"_responseJsonSchema": PERSON_JSON}, SAID),
    (JSON | {"responseSchema": COLOUR}, '"blue"'),
    ({"responseMimeType": "text/x.enum", "responseSchema": COLOUR}, "blue"),
    ({"responseMimeType": "text/x.enum", "responseJsonSchema": {"enum": ["b", "ää"]}}, "b"),
    (JSON | {"responseSchema": {"type": "STRING", "min_length": "2", "maxLength": 9}}, '"aa"'),
]

REFUSALS: list[tuple[dict[str, Any], str]] = [
    ({"responseSchema": PERSON}, "response_mime_type"),
    (JSON | {"responseSchema": PERSON | {"required": ["x"]}}, "response_schema.required[0]"),
    (JSON | {"responseJsonSchema": {"not": 1}}, "response_json_schema.not"),
    (JSON | {"responseSchema": PERSON, "responseJsonSchema": {}}, "response_json_schema"),
]
