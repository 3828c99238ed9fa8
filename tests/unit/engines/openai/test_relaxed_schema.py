"""A relaxed schema asks for no more than the schema, in words that every server knows."""

import json
from typing import Any

import jsonschema

from support.engines.engines_under_test import structure_of
from toplu.engines.openai.relaxed_schema import relaxed


def of(schema: Any) -> dict[str, Any]:
    config = {"responseMimeType": "application/json", "responseJsonSchema": schema}
    return relaxed(structure_of(config))


def test_names_that_servers_cannot_read_get_others() -> None:
    node = {
        "type": "object",
        "properties": {"next": {"$ref": "#/$defs/a~1b"}, "name": {"$ref": "#/$defs/c%20d"}},
        "required": ["name"],
        "additionalProperties": False,
    }
    schema = {
        "$ref": "#/$defs/a~1b",
        "$defs": {"a/b": node, "c d": {"enum": ["x", {"$ref": "#/~1"}]}, "plain": {}},
    }
    written = of(schema)
    references = json.dumps({k: v for k, v in written.items() if k != "$defs"})
    assert "~" not in references
    validator = jsonschema.Draft202012Validator(written)
    assert validator.is_valid({"name": "x", "next": {"name": {"$ref": "#/~1"}}})
    assert not validator.is_valid({"name": "y"})
    assert not validator.is_valid({"name": "x", "next": {"name": "y"}})
    moved = [name for name in written["$defs"] if name.startswith("toplu")]
    assert len(moved) == 2
    for name in moved:
        assert "~" not in json.dumps(written["$defs"][name]).replace("#/~1", "")


def test_a_reference_that_no_path_leads_along_allows_anything() -> None:
    schema = {
        "$id": "http://x.y/root",
        "type": "object",
        "properties": {
            "default": {"$ref": "#anchored"},
            "b": {"$ref": "http://x.y/root#/$defs/number"},
            "c": {"$ref": "#/properties/d"},
            "d": {"type": "string"},
        },
        "required": ["default", "b", "c"],
        "$defs": {"number": {"$anchor": "anchored", "type": "integer"}},
    }
    validator = jsonschema.Draft202012Validator(of(schema))
    assert validator.is_valid({"default": 1, "b": 2, "c": "x"})
    assert validator.is_valid({"default": "x", "b": "x", "c": "x"})
    assert not validator.is_valid({"default": 1, "b": 2, "c": 3})


def test_an_object_of_patterns_alone_keeps_what_they_say_of_values() -> None:
    patterns = {"^a": {"type": "integer", "multipleOf": 2}, "^b": {"type": "boolean"}}
    closed = {"type": "object", "patternProperties": patterns, "additionalProperties": False}
    validator = jsonschema.Draft202012Validator(of(closed | {"minProperties": 1}))
    assert validator.is_valid({"a": 1, "b": True})
    assert not validator.is_valid({"a": "x"})
    listed = jsonschema.Draft202012Validator(of(closed | {"properties": {"c": {}}}))
    assert listed.is_valid({"c": 1})
    assert not listed.is_valid({"a": 1})


def test_what_was_referred_to_outside_of_the_keywords_is_relaxed_as_well() -> None:
    schema = {
        "$ref": "#/components/schemas/list",
        "components": {
            "schemas": {
                "list": {
                    "type": "array",
                    "items": {"$ref": "#/components/schemas/item"},
                    "uniqueItems": True,
                },
                "item": {"type": "string", "format": "of-nobody"},
            }
        },
    }
    written = of(schema)
    validator = jsonschema.Draft202012Validator(written)
    assert validator.is_valid(["x", "x"])
    assert not validator.is_valid([1])
    assert all("format" not in each for each in written["$defs"].values())


def test_what_few_can_hold_is_left_out_and_names_of_the_clients_own_are_not() -> None:
    written = of(
        {
            "type": "object",
            "properties": {"not": {"type": "string", "format": "of-nobody"}, "uniqueItems": True},
            "required": ["not"],
            "minProperties": 1,
            "not": {"required": ["x"]},
        }
    )
    assert set(written["properties"]) == {"not", "uniqueItems"}
    assert "not" not in written
    assert "minProperties" not in written
    assert written["properties"]["not"] == {"type": "string"}
    assert of({"type": "string", "format": "date"})["format"] == "date"
