"""No schema, however it is made, does more than be refused."""

import contextlib
import random
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.structured.grammar_walk import Walk
from support.structured.json_schemas import json_schemas
from support.structured.refusals import MODEL, refusal_of
from toplu.engines.translation.prompt import read_prompt
from toplu.errors import InvalidArgument
from toplu.structured.keywords import ASSERTIONS, COMBINERS
from toplu.structured.minimal_value import write_smallest
from toplu.wire.gemini import proto_json
from toplu.wire.gemini.content import GenerateContentRequest

KEYWORDS = [*sorted(ASSERTIONS), *COMBINERS, "type", "nullable", "propertyOrdering", "$defs"]


def long_chain(length: int) -> dict[str, Any]:
    """Return a schema of references that follow each other."""
    definitions: dict[str, Any] = {
        f"d{number}": {
            "type": "object",
            "properties": {"next": {"$ref": f"#/$defs/d{number + 1}"}},
            "required": ["next"],
        }
        for number in range(length)
    }
    definitions[f"d{length}"] = {"type": "null"}
    return {"$ref": "#/$defs/d0", "$defs": definitions}


def doubling(depth: int) -> dict[str, Any]:
    """Return a schema whose answers may have gone two ways at each depth."""
    schema: dict[str, Any] = {"type": "string"}
    for number in range(depth):
        options = [
            {
                "type": "object",
                "properties": {"a": schema, name: {"type": "null"}},
                "required": ["a"],
            }
            for name in (f"b{number}", f"c{number}")
        ]
        schema = {"anyOf": options}
    return schema


TWINS = {"type": "object", "properties": {"next": {"$ref": "#"}, "x": {"type": "null"}}}
ENDLESS_TWINS = {"anyOf": [TWINS, TWINS | {"properties": {"next": {"$ref": "#"}}}]}
CHAIN = {
    f"d{number}": {
        "anyOf": [{"$ref": f"#/$defs/d{number + 1}"}, {"$ref": f"#/$defs/e{number + 1}"}]
    }
    for number in range(60)
}
CHAINS = CHAIN | {name.replace("d", "e"): option for name, option in CHAIN.items()}


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "array", "minItems": 10**18, "items": {}},
        {"type": "string", "minLength": 10**9},
        {"type": "array", "minItems": 2000, "items": {"type": "array", "minItems": 2000}},
        {"enum": [f"value {number}" for number in range(20_000)]},
        {"type": "object", "properties": {f"p{number}": {} for number in range(5000)}},
        {"type": "string", "pattern": "^([a-z]{1,900}){1,900}$"},
        {"type": "string", "pattern": "^((([a-z]{1,99}){1,99}){1,99}){1,99}$"},
        doubling(9),
        long_chain(450),
        ENDLESS_TWINS,
        {"$ref": "#/$defs/d0", "$defs": CHAINS | {"d60": TWINS, "e60": TWINS}},
    ],
)
def test_a_schema_that_would_hold_up_the_engine_is_refused_at_once(schema: Any) -> None:
    config = {"responseMimeType": "application/json", "responseJsonSchema": schema}
    began = time.process_time()
    message = refusal_of(config).message
    assert "too many states" in message or "refers to nothing" in message or "defined" in message
    assert time.process_time() - began < 2


leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3000),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["string", "integer", "array", "object", "#", "#/$defs", "#/$defs/a", "date"]),
    st.text("ab()[]{}|*+?.^$\\-,1", max_size=8),
)
wild_schemas = st.recursive(
    leaves,
    lambda inner: (
        st.dictionaries(st.sampled_from([*KEYWORDS, "a"]), inner, max_size=4)
        | st.lists(inner, max_size=3)
        | st.tuples(
            json_schemas, st.dictionaries(st.sampled_from(KEYWORDS), inner, max_size=2)
        ).map(lambda both: both[0] | both[1])
    ),
    max_leaves=20,
)


@pytest.mark.slow
@settings(max_examples=500)
@given(wild_schemas, st.sampled_from(["responseSchema", "responseJsonSchema"]))
def test_a_wild_schema_is_served_or_refused_and_nothing_else(schema: Any, field: str) -> None:
    config = {"responseMimeType": "application/json", field: schema}
    request = {"contents": [{"parts": [{"text": "x"}]}], "generationConfig": config}
    with contextlib.suppress(InvalidArgument):
        prompt = read_prompt(proto_json.read_value(GenerateContentRequest, request), MODEL)
        if prompt.structure is not None:
            write_smallest(prompt.structure)
            Walk.of(prompt.structure.grammar).say(random.Random(1))
