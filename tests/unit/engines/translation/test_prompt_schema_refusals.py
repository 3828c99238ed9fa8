"""A schema that cannot be held is refused, with the place, before anything is decoded."""

from typing import Any

import pytest

from support.structured.refusals import refusal_of

SCHEMA, JSON_SCHEMA = "response_schema", "response_json_schema"
OBJECT = {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}}


def nested(depth: int) -> Any:
    """Return so many lists in one another."""
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def check(config: dict[str, Any], path: str, told: str) -> None:
    error = refusal_of(config)
    ((violation,),) = (detail["fieldViolations"] for detail in error.details)
    assert violation["field"] == f"generation_config.{path}"
    assert error.message.startswith(f"* GenerateContentRequest.generation_config.{path}: ")
    assert told in error.message


@pytest.mark.parametrize(
    ("config", "path", "told"),
    [
        ({"responseMimeType": "text/html"}, "response_mime_type", "allowed mimetypes are"),
        ({"responseMimeType": "text/x.enum"}, "response_mime_type", "needs a response schema"),
        ({"responseSchema": {"type": "STRING"}}, "response_mime_type", "not `text/plain`"),
        (
            {"responseMimeType": "text/plain", "responseJsonSchema": {}},
            "response_mime_type",
            "needs `application/json`",
        ),
        (
            {
                "responseMimeType": "application/json",
                "responseSchema": {"type": "STRING"},
                "responseJsonSchema": {"type": "string"},
            },
            "response_json_schema",
            "only one of",
        ),
        (
            {"responseMimeType": "application/json", "stopSequences": ["\n"]},
            "stop_sequences",
            "stop sequence",
        ),
        (
            {"responseMimeType": "text/x.enum", "responseSchema": {"type": "STRING"}},
            "response_schema.enum",
            "needs an enum of strings",
        ),
        (
            {"responseMimeType": "text/x.enum", "responseJsonSchema": {"enum": [1, 2]}},
            "response_json_schema.enum",
            "needs an enum of strings",
        ),
    ],
)
def test_a_form_that_contradicts_itself_is_refused(
    config: dict[str, Any], path: str, told: str
) -> None:
    check(config, path, told)


@pytest.mark.parametrize(
    ("schema", "place", "told"),
    [
        ({"type": "ARRAY"}, ".items", "missing field."),
        ({"type": "INTEGER", "enum": ["1"]}, ".enum", "only allowed for STRING type"),
        ({"type": "STRING", "enum": ["a", ""]}, ".enum[1]", "cannot be empty"),
        (OBJECT | {"required": ["a", "b"]}, ".required[1]", "property is not defined"),
        (OBJECT | {"propertyOrdering": ["b"]}, ".property_ordering[0]", "property is not defined"),
        (
            {"type": "OBJECT", "properties": {"fullName": {"type": "STRING", "pattern": "(a"}}},
            ".properties[fullName].pattern",
            'is not a "regex"',
        ),
        ({"type": "STRING", "minLength": 3, "maxLength": 2}, "", "no value can meet"),
        ({"type": "INTEGER", "minimum": 3, "maximum": 2}, "", "no value can meet"),
        (
            {"type": "ARRAY", "items": {"type": "STRING"}, "minItems": -1},
            ".min_items",
            "less than the minimum of 0",
        ),
        (
            {"anyOf": [{"type": "STRING"}, {"type": "STRING", "pattern": "["}]},
            ".any_of[1].pattern",
            'is not a "regex"',
        ),
    ],
)
def test_a_schema_that_cannot_be_followed_is_refused_with_its_place(
    schema: dict[str, Any], place: str, told: str
) -> None:
    config = {"responseMimeType": "application/json", "responseSchema": schema}
    check(config, f"{SCHEMA}{place}", told)


@pytest.mark.parametrize(
    ("schema", "place", "told"),
    [
        (False, "", "no value can meet"),
        ([], "", "is not of types"),
        ({"type": "text"}, ".type", "is not valid under any"),
        ({"not": {}}, "", "no value can meet"),
        ({"anyOf": []}, ".anyOf", "has less than 1 item"),
        ({"enum": []}, "", "no value can meet"),
        ({"enum": ["\ud800"]}, "", "surrogate"),
        ({"type": "integer", "enum": ["a"]}, "", "no value can meet"),
        ({"$ref": "#/$defs/a"}, ".$ref", "`#/$defs/a` is not there"),
        ({"$ref": "https://example.com/a"}, ".$ref", "nothing is fetched"),
        ({"properties": {"a": {"$ref": "b.json"}}}, ".properties[a].$ref", "nothing is fetched"),
        (
            {"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]},
            "",
            "no value can meet",
        ),
        ({"oneOf": [{"const": 1}, {"const": 1.0}]}, "", "no value can meet"),
        ({"type": "array", "items": False, "minItems": 1}, "", "no value can meet"),
        ({"type": "string", "maxLength": 1.5}, ".maxLength", "integer"),
        ({"type": "string", "pattern": 1}, ".pattern", 'not of type "string"'),
        ({"type": "number", "minimum": "1"}, ".minimum", 'not of type "number"'),
        ({"type": "object", "properties": []}, ".properties", 'not of type "object"'),
        (
            {"type": "object", "properties": {"a": {"type": "string", "minLength": True}}},
            ".properties[a].minLength",
            'not of type "integer"',
        ),
        ({"description": "d" * 600_000}, "", "schema_bytes_max"),
        ({"default": nested(101)}, "", "schema_depth_max"),
    ],
)
def test_a_json_schema_that_cannot_be_followed_is_refused_with_its_place(
    schema: Any, place: str, told: str
) -> None:
    config = {"responseMimeType": "application/json", "responseJsonSchema": schema}
    check(config, f"{JSON_SCHEMA}{place}", told)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "OBJECT", "description": "\ud800"},
        {"type": "OBJECT", "properties": {"\ud800": {"type": "ARRAY"}}},
        {"type": "STRING", "pattern": "\ud800("},
        {"type": "STRING", "enum": ["\ud800"]},
    ],
)
@pytest.mark.parametrize("field", ["responseSchema", "responseJsonSchema"])
def test_half_a_surrogate_pair_does_no_harm(schema: dict[str, Any], field: str) -> None:
    if field == "responseJsonSchema":
        schema = {
            name: value.lower() if name == "type" else value for name, value in schema.items()
        } | {"not": 1}
    config = {"responseMimeType": "application/json", field: schema}
    refusal_of(config).message.encode()


def test_a_place_is_cut_short_if_it_is_long() -> None:
    properties = {"x" * 100_000: {"type": "ARRAY"}}
    schema = {"type": "OBJECT", "properties": properties}
    config = {"responseMimeType": "application/json", "responseSchema": schema}
    assert len(refusal_of(config).message) < 2000


def test_every_unknown_field_of_a_schema_is_named_with_its_place() -> None:
    inner = {"type": "ARRAY", "items": {"kind": "STRING"}}
    schema = {"type": "OBJECT", "properties": {"x": {"type": "NULL"}, "a": inner}, "typo": 1}
    config = {"responseMimeType": "application/json", "response_schema": schema}
    place = "generation_config.response_schema"
    unknown = "Invalid JSON payload received. Unknown name \"{}\" at '{}': Cannot find field."
    assert refusal_of(config).message.splitlines() == [
        unknown.format("kind", f"{place}.properties[1].value.items"),
        unknown.format("typo", place),
    ]


def test_a_type_that_is_none_is_an_invalid_value() -> None:
    config = {"responseMimeType": "application/json", "responseSchema": {"type": "TEXT"}}
    assert refusal_of(config).message == (
        "Invalid value at 'generation_config.response_schema.type' "
        '(type.googleapis.com/google.ai.generativelanguage.v1beta.Type), "TEXT"'
    )
