"""A grammar leaves llama.cpp as it is: lanes, prefixes and the engine itself."""

import asyncio
import dataclasses
import json
from typing import Any

import jsonschema
import pytest
from msgspec.structs import replace

from support.engines.engines_under_test import a_prompt, structure_of
from support.structured.structured_cases import CASES
from support.waiting import PATIENCE_SECONDS
from toplu.engines.prompt import Prompt
from toplu.errors import InvalidArgument
from toplu.fleet.adapters.valid_answer import generate_valid
from toplu.fleet.processes.engine_handle import EngineHandle

pytestmark = [pytest.mark.model, pytest.mark.asyncio(loop_scope="module")]


def asking(text: str, schema: Any, tokens_max: int = 48, **values: Any) -> Prompt:
    config = {"responseMimeType": "application/json", "responseJsonSchema": schema}
    prompt = a_prompt(text, tokens_max=tokens_max, **values)
    return replace(prompt, structure=structure_of(config))


PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 12}, "age": {"type": "integer"}},
    "required": ["name", "age"],
}
RULES = "These are the rules of the server, which you have to keep. " * 5


async def test_a_lane_keeps_its_prefix_whatever_form_is_asked_for(
    running_llama_cpp: EngineHandle,
):
    engine = running_llama_cpp.engine
    await engine.generate(a_prompt(RULES + "Who?"), 1)
    formed = await engine.generate(asking(RULES + "Which one?", PERSON), 1)
    free = await engine.generate(a_prompt(RULES + "What?"), 1)
    assert 50 < formed.cached_tokens < formed.prompt_tokens
    assert 50 < free.cached_tokens < free.prompt_tokens
    assert set(json.loads(formed.completions[0].text)) == {"name", "age"}
    with pytest.raises(ValueError):
        json.loads(free.completions[0].text)


async def test_forms_of_different_lanes_do_not_mix(running_llama_cpp: EngineHandle):
    engine = running_llama_cpp.engine
    schemas = [{"type": "boolean"}, {"type": "integer", "minimum": 100, "maximum": 199}] * 3
    generations = await asyncio.gather(
        *(engine.generate(asking("Yes?", schema), n % 2) for n, schema in enumerate(schemas))
    )
    for schema, generation in zip(schemas, generations, strict=True):
        jsonschema.validate(json.loads(generation.completions[0].text), schema)


async def test_every_candidate_has_the_form(running_llama_cpp: EngineHandle):
    prompt = asking("Invent a person.", PERSON, candidates=3, temperature=1.5)
    generation = await running_llama_cpp.engine.generate(prompt, 0)
    for completion in generation.completions:
        assert not completion.hit_token_limit
        jsonschema.validate(json.loads(completion.text), PERSON)


async def test_an_answer_of_a_grammar_that_llama_cpp_cannot_read_is_found_out(
    running_llama_cpp: EngineHandle,
):
    good = asking("Who?", PERSON)
    assert good.structure is not None
    for rule in ("missing", '"a', "%json {"):
        bad = replace(good, structure=dataclasses.replace(good.structure, rule=rule))
        generation = await generate_valid(running_llama_cpp.engine, bad, 0, None, attempts_max=2)
        (completion,) = generation.completions
        assert completion.hit_token_limit or completion.violation
    (completion,) = (await running_llama_cpp.engine.generate(good, 0)).completions
    jsonschema.validate(json.loads(completion.text), PERSON)


async def test_a_list_of_at_most_a_million_does_not_hold_up_the_engine(
    running_llama_cpp: EngineHandle,
):
    schema = {"type": "array", "items": {"enum": [1, 2]}, "maxItems": 10**6}
    prompt = asking("A short list, please.", schema)
    async with asyncio.timeout(PATIENCE_SECONDS):
        generation = await running_llama_cpp.engine.generate(prompt, 0)
    (completion,) = generation.completions
    assert completion.text.startswith("["), "it is held"
    if not completion.hit_token_limit:
        jsonschema.validate(json.loads(completion.text), schema)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_llama_cpp_reads_every_grammar(running_llama_cpp: EngineHandle, case: Any):
    prompt = replace(a_prompt(case.question, tokens_max=32), structure=structure_of(case.config))
    generation = await running_llama_cpp.engine.generate(prompt, 0)
    assert generation.completions[0].tokens <= 32


LARGE = [
    {"type": "string", "minLength": 15_000, "maxLength": 15_000},
    {"type": "array", "maxItems": 900, "items": {"type": "string", "maxLength": 900}},
    {"enum": [f"value {number}" for number in range(1000)]},
    {"type": "string", "pattern": "^([a-z]{1,31}){1,31}$"},
    {"anyOf": [{"type": "string", "maxLength": 20 + number} for number in range(80)]},
    {
        "type": "object",
        "properties": {f"property {number}": {"type": "number"} for number in range(300)},
    },
    {
        "$defs": {"node": {"type": "array", "items": {"$ref": "#/$defs/node"}}},
        "$ref": "#/$defs/node",
    },
    {"type": "array", "items": {"type": "string", "format": "uri"}, "minItems": 3},
]


@pytest.mark.parametrize("schema", LARGE, ids=lambda schema: str(schema)[:40])
async def test_the_largest_grammars_do_not_hold_up_the_engine(
    running_llama_cpp: EngineHandle, schema: Any
):
    prompt = asking("Say many words of any kind.", schema, tokens_max=24, temperature=1.0)
    async with asyncio.timeout(20):
        generation = await running_llama_cpp.engine.generate(prompt, 0)
    assert generation.completions[0].tokens > 0


LIST = {
    "type": "object",
    "properties": {
        "animals": {
            "type": "array",
            "minItems": 20,
            "items": {
                "type": "object",
                "properties": {"name": {"type": "string"}, "legs": {"type": "integer"}},
                "required": ["name", "legs"],
            },
        }
    },
    "required": ["animals"],
}
SAYING = {
    "type": "object",
    "properties": {"essay": {"type": "string", "minLength": 300}, "words": {"type": "integer"}},
    "required": ["essay", "words"],
}


@pytest.mark.system
@pytest.mark.parametrize("tokens_max", [230, 260, 300])
@pytest.mark.parametrize("schema", [SAYING, LIST])
async def test_an_answer_that_is_short_of_tokens_is_whole_all_the_same(
    running_llama_cpp: EngineHandle, schema: Any, tokens_max: int
):
    heard = []

    async def hear(piece: Any) -> None:
        heard.append(piece.text)

    prompt = asking("Write at length, and never stop.", schema, tokens_max, temperature=0.0)
    generation = await running_llama_cpp.engine.generate(prompt, 0, hear)
    (completion,) = generation.completions
    jsonschema.validate(json.loads(completion.text), schema)
    assert not completion.hit_token_limit
    assert completion.shortened
    assert completion.tokens <= tokens_max
    assert completion.text.startswith("".join(heard))
    assert generation.prompt_tokens > generation.cached_tokens >= 0


async def test_what_cannot_end_within_its_tokens_is_refused(running_llama_cpp: EngineHandle):
    with pytest.raises(InvalidArgument, match="the smallest answer"):
        await running_llama_cpp.engine.generate(asking("Who?", LIST, 100), 0)
