"""Whatever a grammar allows is of the form that its schema asks for."""

import datetime as dt
import ipaddress
import json
import random
import uuid
from typing import Annotated, Any

import jsonschema
import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.structured.grammar_walk import Walk
from support.structured.json_schemas import json_schemas
from support.structured.structured_cases import CASES, Case
from toplu.structured.minimal_value import write_smallest
from toplu.structured.response_format import read_structure
from toplu.structured.shape import SchemaFault, Structure
from toplu.wire.gemini import proto_json
from toplu.wire.gemini.content import GenerationConfig

WALKS = 60


def structure_of(config: dict[str, Any]) -> Structure:
    structure = read_structure(proto_json.read_value(GenerationConfig, config))
    assert structure is not None
    return structure


def structure_of_json(schema: Any) -> Structure:
    return structure_of({"responseMimeType": "application/json", "responseJsonSchema": schema})


def check(schema: Any, text: str) -> None:
    jsonschema.validate(json.loads(text), schema, cls=jsonschema.Draft202012Validator)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_text_of_a_grammar_validates(case: Case) -> None:
    structure = structure_of(case.config)
    walk = Walk.of(structure.grammar)
    choose = random.Random(case.name)
    said = {walk.say(choose) for _ in range(WALKS)}
    for text in said:
        check(case.json_schema, text)
    check(case.json_schema, write_smallest(structure))


@pytest.mark.slow
@settings(max_examples=300)
@given(json_schemas, st.randoms(use_true_random=False))
def test_every_schema_has_a_grammar_whose_texts_validate(schema: Any, choose: Any) -> None:
    try:
        structure = structure_of_json(schema)
    except SchemaFault as fault:
        # What is drawn is served, but that two schemas of a oneOf may mean one value.
        if "use anyOf instead" not in fault.reason:
            raise
        return
    check(schema, write_smallest(structure))
    walk = Walk.of(structure.grammar)
    for _ in range(5):
        check(schema, walk.say(choose))


@given(st.integers(-(10**14), 10**14), st.integers(0, 10**6), st.randoms(use_true_random=False))
def test_integers_keep_their_bounds(low: int, width: int, choose: Any) -> None:
    walk = Walk.of(
        structure_of_json({"type": "integer", "minimum": low, "maximum": low + width}).grammar
    )
    for _ in range(20):
        assert low <= int(walk.say(choose)) <= low + width


def test_every_integer_within_bounds_can_be_said() -> None:
    choose = random.Random(1)
    for low, high in [(-12, 13), (0, 0), (7, 32), (-102, -99), (98, 102)]:
        schema = {"type": "integer", "minimum": low, "maximum": high}
        walk = Walk.of(structure_of_json(schema).grammar)
        assert {int(walk.say(choose)) for _ in range(4000)} == set(range(low, high + 1))


decimals = st.decimals(-1000, 1000, places=3).map(float)


@pytest.mark.slow
@given(decimals, decimals, st.booleans(), st.booleans(), st.randoms(use_true_random=False))
def test_numbers_keep_their_bounds(
    first: float, second: float, low_open: bool, high_open: bool, choose: Any
) -> None:
    low, high = sorted((first, second))
    if low == high:
        low_open = high_open = False
    schema = {
        "type": "number",
        "exclusiveMinimum" if low_open else "minimum": low,
        "exclusiveMaximum" if high_open else "maximum": high,
    }
    structure = structure_of_json(schema)
    walk = Walk.of(structure.grammar)
    for text in [write_smallest(structure), *(walk.say(choose) for _ in range(20))]:
        value = float(text)
        assert low < value if low_open else low <= value
        assert value < high if high_open else value <= high


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "number", "minimum": 0.5},
        {"type": "number", "maximum": -3},
        {"type": "number", "exclusiveMinimum": 0},
        {"type": "number", "exclusiveMaximum": 0},
        {"type": "number", "minimum": 0, "maximum": 0},
        {"type": "number", "minimum": 1e-7, "maximum": 2e-7},
        {"type": "number", "minimum": -1e300, "maximum": 1e300},
        {"type": "integer", "minimum": 1.5, "maximum": 2.5},
        {"type": "integer", "exclusiveMinimum": 1, "exclusiveMaximum": 3},
        {"type": "integer", "format": "int32"},
        {"type": "integer", "minimum": 0, "multipleOf": 1},
    ],
)
def test_bounds_of_every_kind_are_kept(schema: dict[str, Any]) -> None:
    structure = structure_of_json(schema)
    walk = Walk.of(structure.grammar)
    choose = random.Random(3)
    for text in [write_smallest(structure), *(walk.say(choose) for _ in range(200))]:
        check(schema, text)


@pytest.mark.parametrize("count", [3, 999, 1000, 1001, 2500])
def test_long_counts_are_kept(count: int) -> None:
    choose = random.Random(count)
    exact = {"type": "string", "minLength": count, "maxLength": count}
    assert len(json.loads(Walk.of(structure_of_json(exact).grammar).say(choose))) == count
    grammar = structure_of_json({"type": "string", "maxLength": count}).grammar
    walk = Walk.of(grammar)
    assert all(len(json.loads(walk.say(choose))) <= count for _ in range(30))
    # llama.cpp takes no count above 2000.
    assert not any(f"{{{number}" in grammar or f",{number}}}" in grammar for number in (2001, 2500))


@pytest.mark.parametrize(
    ("pattern", "texts"),
    [
        (r"^(cat|dog)s?$", {"cat", "cats", "dog", "dogs"}),
        (r"^[a-c]\-$|^x$", {"a-", "b-", "c-", "x"}),
        (r'^["\\/\n]$', {'"', "\\", "/", "\n"}),
        (r"^\u00e9\x41$", {"éA"}),
        (r"^a{2}b{0,1}$", {"aa", "aab"}),
        (r"^[\]\-^]$", {"]", "-", "^"}),
        (r"^(?:)$", {""}),
        (r"^\.\$\/$", {".$/"}),
    ],
)
def test_all_texts_of_a_pattern_can_be_said_and_no_other(pattern: str, texts: set[str]) -> None:
    structure = structure_of_json({"type": "string", "pattern": pattern})
    walk = Walk.of(structure.grammar)
    choose = random.Random(pattern)
    assert {json.loads(walk.say(choose)) for _ in range(300)} == texts
    assert json.loads(write_smallest(structure)) in texts


@pytest.mark.parametrize(
    "pattern",
    [r"b", r"^b", r"b$", r"a|^b", r"^[^a-z\"]+$", r"^\D\W\S.$", r"^\s\w+\d?$", r"(ab){2,3}?c*", ""],
)
def test_texts_of_a_pattern_match_it(pattern: str) -> None:
    schema = {"type": "string", "pattern": pattern}
    structure = structure_of_json(schema)
    walk = Walk.of(structure.grammar)
    choose = random.Random(pattern)
    for text in [write_smallest(structure), *(walk.say(choose) for _ in range(200))]:
        check(schema, text)


FORMATS = {
    "date": dt.date,
    "time": dt.time,
    "date-time": dt.datetime,
    "duration": dt.timedelta,
    "uuid": uuid.UUID,
    "uri": pydantic.AnyUrl,
    "ipv4": ipaddress.IPv4Address,
    "ipv6": ipaddress.IPv6Address,
    "email": Annotated[str, pydantic.Field(pattern=r"^[^@\s]+@[^@\s.]+(\.[^@\s.]+)+$")],
}


@pytest.mark.parametrize("form", FORMATS)
def test_formats_are_kept(form: str) -> None:
    walk = Walk.of(structure_of_json({"type": "string", "format": form}).grammar)
    kind = pydantic.TypeAdapter(FORMATS[form])
    choose = random.Random(form)
    for _ in range(300):
        kind.validate_python(json.loads(walk.say(choose)))


def test_any_json_is_an_object_or_an_array() -> None:
    structure = structure_of({"responseMimeType": "application/json"})
    walk = Walk.of(structure.grammar)
    choose = random.Random(5)
    said = [json.loads(walk.say(choose)) for _ in range(200)]
    assert {type(value) for value in said} == {dict, list}


def test_a_value_of_an_enum_is_said_bare() -> None:
    enum = ["yes", 'say "no"', "größe"]
    schema = {"type": "STRING", "enum": enum}
    structure = structure_of({"responseMimeType": "text/x.enum", "responseSchema": schema})
    walk = Walk.of(structure.grammar)
    choose = random.Random(7)
    assert {walk.say(choose) for _ in range(100)} == set(enum)
    assert write_smallest(structure) == "yes"


def test_properties_come_in_their_order() -> None:
    properties = {name: {"type": "BOOLEAN"} for name in "abcde"}
    schema = {
        "type": "OBJECT",
        "properties": properties,
        "required": ["c"],
        "propertyOrdering": ["e", "c"],
    }
    structure = structure_of({"responseMimeType": "application/json", "responseSchema": schema})
    walk = Walk.of(structure.grammar)
    choose = random.Random(9)
    said = {tuple(json.loads(walk.say(choose))) for _ in range(400)}
    assert ("e", "c", "a", "b", "d") in said
    assert ("c",) in said
    assert len(said) == 2**4
    for names in said:
        assert list(names) == sorted(names, key="ecabd".index)
