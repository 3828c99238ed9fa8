"""What cannot be held to is refused, with the place of it, before anything is decoded."""

from typing import Any

import pytest

from support.structured.refusals import refusal_of

SCHEMA, JSON_SCHEMA = "response_schema", "response_json_schema"
OBJECT = {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}}


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
            {"type": "OBJECT", "properties": {"fullName": {"type": "STRING", "pattern": "(?=a)"}}},
            ".properties[fullName].pattern",
            "group of a kind",
        ),
        ({"type": "STRING", "minLength": 3, "maxLength": 2}, ".max_length", "less than minLength"),
        ({"type": "INTEGER", "minimum": 3, "maximum": 2}, ".maximum", "no whole number"),
        ({"type": "NUMBER", "minimum": 3, "maximum": 2}, ".maximum", "no number"),
        ({"type": "NUMBER", "minimum": 1e20}, ".minimum", "digits"),
        (
            {"type": "ARRAY", "items": {"type": "STRING"}, "minItems": 3, "maxItems": 2},
            ".max_items",
            "less than minItems",
        ),
        (
            {"type": "ARRAY", "items": {"type": "STRING"}, "minItems": -1},
            ".min_items",
            "not negative",
        ),
        (
            {"anyOf": [{"type": "STRING"}, {"type": "STRING", "pattern": "["}]},
            ".any_of[1].pattern",
            "ends in the middle",
        ),
        ({"anyOf": [{"type": "STRING"}], "minLength": 2}, ".min_length", "cannot stand beside"),
        (OBJECT | {"minProperties": 1}, ".min_properties", "cannot be held to"),
        ({"type": "STRING", "pattern": "^a+b+$", "maxLength": 4}, ".pattern", "count in it"),
        ({"type": "STRING", "pattern": "^a{3}$", "maxLength": 2}, ".pattern", "no match"),
        ({"type": "STRING", "pattern": "a", "format": "date"}, ".pattern", "cannot stand beside"),
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
        (False, "", "some value meets"),
        ([], "", "some value meets"),
        ({"type": "text"}, ".type", "not a type"),
        ({"type": []}, ".type", "not a type"),
        ({"type": "array", "uniqueItems": True}, ".uniqueItems", "is not supported"),
        ({"not": {}}, ".not", "is not supported"),
        ({"if": {}, "then": {}}, ".if", "is not supported"),
        ({"patternProperties": {}}, ".patternProperties", "is not supported"),
        ({"type": "number", "multipleOf": 0.5}, ".multipleOf", "is not supported"),
        ({"typo": 1}, ".typo", "is not supported"),
        ({"allOf": [{"type": "string"}, {"minLength": 1}]}, ".allOf", "one schema only"),
        ({"anyOf": []}, ".anyOf", "not empty"),
        ({"enum": []}, ".enum", "not empty"),
        ({"enum": ["\ud800"]}, ".enum", "surrogate"),
        ({"type": "integer", "enum": ["a"]}, ".enum", "no value of the type"),
        ({"enum": ["a"], "minLength": 1}, ".minLength", "cannot stand beside enum"),
        ({"const": 1, "enum": [1]}, ".const", "cannot stand beside"),
        ({"$ref": "#/$defs/a"}, ".$ref", "is not defined"),
        ({"$ref": "https://example.com/a"}, ".$ref", "must point into"),
        ({"$ref": "#"}, "", "refers to nothing but itself"),
        (
            {
                "$defs": {"a": {"anyOf": [{"$ref": "#/$defs/a"}, {"type": "null"}]}},
                "$ref": "#/$defs/a",
            },
            ".$defs.a",
            "refers to nothing but itself",
        ),
        (
            {"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]},
            "",
            "requires itself without end",
        ),
        ({"oneOf": [{"type": "integer"}, {"type": "number"}]}, ".oneOf", "anyOf instead"),
        ({"oneOf": [{"const": 1}, {"const": 1.0}]}, ".oneOf", "anyOf instead"),
        ({"type": "object", "required": ["a"]}, ".required[0]", "not defined"),
        ({"type": "object", "minProperties": 2}, ".minProperties", "must be 1"),
        ({"type": "array", "items": False, "minItems": 1}, ".minItems", "more items"),
        ({"type": "string", "maxLength": 1.5}, ".maxLength", "whole number"),
        ({"type": "string", "pattern": 1}, ".pattern", "must be a string"),
        ({"type": "number", "minimum": "1"}, ".minimum", "must be a number"),
        ({"type": "object", "properties": []}, ".properties", "must be an object"),
        (
            {"type": "object", "properties": {"a": {"type": "string", "minLength": True}}},
            ".properties[a].minLength",
            "whole number",
        ),
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
        } | {"not": {}}
    config = {"responseMimeType": "application/json", field: schema}
    refusal_of(config).message.encode()


def test_a_place_is_cut_short_if_it_is_long() -> None:
    properties = {"x" * 100_000: {"type": "ARRAY"}}
    schema = {"type": "OBJECT", "properties": properties}
    config = {"responseMimeType": "application/json", "responseSchema": schema}
    assert len(refusal_of(config).message) < 2000


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        ("(a", "without its"),
        ("a)", "too many"),
        ("a**", "repeats a repetition"),
        ("(a*)*", "may be empty"),
        ("*a", "loose"),
        ("a{2,1}", "count that is none"),
        ("a{x}", "begins no count"),
        ("a^b", "in the middle"),
        ("(a$)", "in the middle"),
        (r"\bword", "not served"),
        (r"(a)\1", "not served"),
        (r"\p{L}", "not served"),
        (r"\u12", "escape"),
        ("[b-a]", "range that is none"),
        ("[[:alpha:]]", "named class"),
        ("[]", "without a character"),
        ("(?<n>a)", "group of a kind"),
        ("a" * 1001, "longer than"),
        ("(" * 31 + ")" * 31, "groups in groups"),
        (r"^\ud800$", "no text matches"),
    ],
)
def test_a_pattern_that_cannot_be_followed_says_why(pattern: str, told: str) -> None:
    schema = {"type": "string", "pattern": pattern}
    config = {"responseMimeType": "application/json", "responseJsonSchema": schema}
    assert told in refusal_of(config).message


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
