"""A hostile schema is refused, or served, within bounds, and takes nobody down."""

import asyncio
import json
import threading
from typing import Any

import pytest

from support.structured.hostile_schemas import COSTLY, COSTLY_TO_PROVE, HARMLESS, chained
from toplu.structured import compiler
from toplu.structured.bounds import SchemaBounds
from toplu.structured.guard import guarded
from toplu.structured.guard.guarded import NotPlain, compile_schema, compile_validator
from toplu.structured.guard.process import PROCESS
from toplu.structured.guard.threads import read_schemas
from toplu.structured.schema_fault import SchemaFault
from toplu.structured.structure import Structure

# Few, so that a test of them is soon over; what is within them is so on a slow machine as well.
FEW = SchemaBounds(seconds_max=1.0, memory_bytes_max=512 * 1024**2)
TREE = {
    "type": "object",
    "properties": {"value": {"type": "integer"}, "children": {"items": {"$ref": "#"}}},
    "required": ["value"],
    "$comment": "not plain, for it refers to itself",
}


def compiled(schema: Any) -> Structure:
    return compile_schema(schema, "schema", FEW)


@pytest.mark.parametrize("name", HARMLESS)
def test_a_hostile_schema_is_served_or_refused_for_what_is_wrong_with_it(name: str) -> None:
    try:
        structure = compiled(HARMLESS[name])
    except SchemaFault as fault:
        assert "schema_seconds_max" not in fault.reason  # noqa: PT017
        return
    answer = guarded.sample(structure)
    assert structure.find_violation("not JSON") is not None
    assert isinstance(answer, str)
    for value in ("a" * 40 + "!", {"a": {"a": 1}}, 1, None):
        structure.find_violation(json.dumps(value))


@pytest.mark.slow
@pytest.mark.parametrize("name", COSTLY)
def test_a_schema_that_takes_too_much_is_refused_by_its_bounds(name: str) -> None:
    for compile_as in (compile_schema, compile_validator):
        with pytest.raises(SchemaFault, match=r"schema_seconds_max = 1\.0") as fault:
            compile_as(COSTLY[name], "a.path", FEW)
        assert fault.value.path == "a.path"
        if name == "a chain of references":
            break  # to validate alone is possible


@pytest.mark.slow
@pytest.mark.parametrize("name", COSTLY_TO_PROVE)
def test_an_answer_that_takes_too_much_to_prove_is_not_valid(name: str) -> None:
    structure = compiled(COSTLY_TO_PROVE[name])
    assert "schema_seconds_max = 1.0" in str(structure.find_violation('"a"'))
    assert compiled(TREE).find_violation('{"value": 1}') is None, "the next is served"


def test_what_is_not_plain_is_compiled_and_proved_as_if_it_were() -> None:
    apart, here = compiled(TREE), compiler.compile_schema(TREE, "schema", FEW)
    assert apart.validator.is_guarded
    assert not here.validator.is_guarded
    assert apart.rule == here.rule
    assert apart.json_schema == here.json_schema
    for answer in ('{"value": 1}', '{"value": 1, "children": [{}]}', "[", '{"value": "ä"}'):
        assert apart.find_violation(answer) == here.find_violation(answer)
    values = [{"value": 1}, {}, {"value": 2, "children": []}]
    assert apart.validator.keep_valid(values) == here.validator.keep_valid(values)
    assert apart.find_violation(guarded.sample(apart)) is None


def test_a_fault_of_a_schema_that_is_not_plain_has_its_place() -> None:
    wrong = {"items": {"$ref": "#"}, "properties": {"a": {"type": "whole"}}}
    for compile_as in (compile_schema, compile_validator):
        with pytest.raises(SchemaFault) as fault:
            compile_as(wrong, "a.path", FEW)
        assert fault.value.path == "a.path.properties[a].type"


def test_a_process_that_has_died_is_started_again() -> None:
    structure = compiled(TREE)
    for _ in range(2):
        assert structure.find_violation('{"value": 1}') is None
        PROCESS.close()


@pytest.mark.slow
async def test_a_costly_schema_holds_up_neither_the_others_nor_the_loop() -> None:
    ended: list[str] = []
    threads: dict[str, str] = {}

    async def read(name: str, schema: Any) -> None:
        def compile_it() -> None:
            threads[name] = threading.current_thread().name
            compile_schema(schema, "schema", FEW)

        try:
            await read_schemas(compile_it)
        except SchemaFault:
            ended.append(f"{name}: refused")
        else:
            ended.append(name)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(read("costly", COSTLY["a product of choices"]))
        while not threads.get("costly", "").startswith("schemas"):
            await asyncio.sleep(0)
        await read("plain", {"type": "integer"})
        assert ended == ["plain"]
    assert ended == ["plain", "costly: refused"]
    assert not threads["plain"].startswith("schemas")


def test_a_thread_that_must_not_wait_gets_an_error() -> None:
    deep = chained(80, lambda at: {"properties": {"a": {"$ref": at}}})
    token = guarded.ONLY_PLAIN.set(True)
    try:
        with pytest.raises(NotPlain):
            compiled(deep)
    finally:
        guarded.ONLY_PLAIN.reset(token)
