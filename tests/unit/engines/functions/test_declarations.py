"""Declarations that are read, and the faults of the others."""

from typing import Any

import jsonschema
import pytest

from support.engines.function_cases import CASES, FunctionCase, functions_of
from support.structured.grammars import allows, drawn
from toplu.engines.calls import CALLS_MAX
from toplu.engines.functions.declarations import FUNCTIONS_MAX, NAME_RULE, function_violations
from toplu.engines.functions.grammar import NO_CALLS
from toplu.engines.functions.parser import with_calls
from toplu.engines.generation import Completion
from toplu.structured.bounds import SchemaBounds
from toplu.wire.gemini import proto_json
from toplu.wire.gemini.content import GenerateContentRequest

WALKS = 40
DECLARATIONS = [case.declaration for case in CASES]
SCHEMAS = {case.name: case.json_schema for case in CASES}
F = {"name": "f"}
AT = "tools[0].function_declarations[0]"
CONFIG = "tool_config.function_calling_config"


def said_by(rules: str, seed: int) -> Completion:
    text = drawn(rules, seed)
    return with_calls(Completion(text=text, tokens=1, hit_token_limit=False))


def check_calls(completion: Completion, names: set[str]) -> None:
    assert not completion.broken_call
    assert len(completion.calls) <= CALLS_MAX
    for call in completion.calls:
        assert call.name in names
        jsonschema.Draft202012Validator(SCHEMAS[call.name]).validate(call.arguments)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_whatever_the_grammar_allows_is_a_valid_call(case: FunctionCase):
    functions = functions_of(DECLARATIONS, mode="ANY", allowedFunctionNames=[case.name])
    assert [each.name for each in functions.declared] == list(SCHEMAS)
    for seed in range(WALKS):
        completion = said_by(functions.rules, seed)
        assert completion.text == ""
        assert completion.calls
        check_calls(completion, {case.name})


CALL = '<tool_call>\n{"name": "get_time", "arguments": {}}\n</tool_call>'
TEXTS = ["", "Hello.\nAnd <b>?", "ends in <tool", "<<tool <tools> </tool_call>", "größe 🎺"]


@pytest.mark.parametrize("mode", ["AUTO", "VALIDATED"])
def test_where_no_call_has_to_be_made_text_may_stand_before_calls(mode: str):
    rules = functions_of(DECLARATIONS, mode=mode).rules
    for text in TEXTS:
        assert allows(rules, text), text
        assert allows(rules, text + CALL), text
        assert allows(rules, "\n".join([text + CALL, *[CALL] * (CALLS_MAX - 1)])), text
        for end in ("<tool_", "<tool_call>", "<tool_response>", f"{CALL}.", CALL[:-1]):
            assert not allows(rules, text + end), text + end
    assert not allows(rules, "\n".join([CALL] * (CALLS_MAX + 1)))
    assert not allows(rules, CALL.replace("{}", '{"a": 1}'))
    assert not allows(rules, CALL.replace("get_time", "get_date"))


def test_where_a_call_has_to_be_made_nothing_else_is_written():
    rules = functions_of(DECLARATIONS, mode="ANY").rules
    assert allows(rules, CALL)
    assert allows(rules, f"{CALL}\n{CALL}")
    for text in ("", "Hello", f"Well {CALL}", f"{CALL} ", CALL[:-1]):
        assert not allows(rules, text)


def test_where_no_call_may_be_made_no_mark_of_one_is_written():
    rules = NO_CALLS
    for text in TEXTS:
        assert allows(rules, text), text
        assert not allows(rules, text + CALL)
        assert not allows(rules, f"{text}<tool_")


def declaring(*declarations: Any, **config: Any) -> dict[str, Any]:
    chosen = {"toolConfig": {"functionCallingConfig": config}} if config else {}
    return {"tools": [{"functionDeclarations": list(declarations)}]} | chosen


def of_schema(schema: Any) -> dict[str, Any]:
    return declaring(F | {"parametersJsonSchema": schema})


REFUSALS: list[tuple[dict[str, Any], str, str]] = [
    (declaring({}), f"{AT}.name", NAME_RULE),
    (declaring({"name": "two words"}), f"{AT}.name", NAME_RULE),
    (declaring({"name": "0"}), f"{AT}.name", NAME_RULE),
    (declaring({"name": "f" * 129}), f"{AT}.name", NAME_RULE),
    (declaring({"name": "f\n"}), f"{AT}.name", NAME_RULE),
    (
        declaring(F, F),
        "tools[0].function_declarations[1].name",
        "Duplicate function declaration found: f",
    ),
    (
        declaring(F | {"parameters": {"type": "OBJECT"}, "parametersJsonSchema": {}}),
        f"{AT}.parameters_json_schema",
        "only one of parameters and parameters_json_schema may be set.",
    ),
    (declaring(F | {"parameters": {"type": "STRING"}}), f"{AT}.parameters", "an object."),
    (of_schema(False), f"{AT}.parameters_json_schema", "an object."),
    (of_schema({"type": ["array", "null"]}), f"{AT}.parameters_json_schema", "an object."),
    (of_schema([1]), f"{AT}.parameters_json_schema", 'is not of types "boolean", "object"'),
    (
        of_schema({"type": "object", "properties": {"a": {"not": 1}}}),
        f"{AT}.parameters_json_schema.properties[a].not",
        'is not of types "boolean", "object"',
    ),
    (
        declaring(F | {"parameters": {"type": "OBJECT", "properties": {"a": {"type": "ARRAY"}}}}),
        f"{AT}.parameters.properties[a].items",
        "missing field.",
    ),
    (
        declaring(
            F
            | {
                "parameters": {
                    "type": "OBJECT",
                    "properties": {
                        "aB": {"type": "STRING", "minLength": -1},
                    },
                }
            }
        ),
        f"{AT}.parameters.properties[aB].min_length",
        "-1 is less than the minimum of 0",
    ),
    (
        of_schema({"$ref": "#/$defs/a"}),
        f"{AT}.parameters_json_schema.$ref",
        "`#/$defs/a` is not there.",
    ),
    (declaring(F | {"description": "\ud800"}), AT, "has half a surrogate pair."),
    (of_schema({"type": "object", "description": "\ud800"}), AT, "has half a surrogate pair."),
    (
        declaring(*({"name": f"f{number}"} for number in range(FUNCTIONS_MAX + 1))),
        "tools",
        f"there must be at most {FUNCTIONS_MAX} function declarations.",
    ),
    (
        declaring(mode="ANY"),
        CONFIG,
        "Function calling config is set without function_declarations.",
    ),
    (
        declaring(F, mode="AUTO", allowedFunctionNames=["f"]),
        f"{CONFIG}.allowed_function_names",
        "may only be set if the mode is ANY or VALIDATED.",
    ),
    (
        declaring(F, mode="ANY", allowedFunctionNames=["f", "g"]),
        f"{CONFIG}.allowed_function_names[1]",
        "is no function that the request declares.",
    ),
    (
        declaring(F) | {"generationConfig": {"responseMimeType": "application/json"}},
        "generation_config.response_mime_type",
        "Function calling with a response mime type: 'application/json' is unsupported",
    ),
    (
        declaring(F, mode="ANY") | {"generationConfig": {"stopSequences": ["x"]}},
        "generation_config.stop_sequences",
        "a stop sequence would leave half a function call.",
    ),
    (
        {"tools": [{"functionDeclarations": [F]}, {"googleSearch": {}}]},
        "tools[1]",
        "Tool use with function calling is unsupported",
    ),
]


@pytest.mark.parametrize(("fields", "place", "reason"), REFUSALS)
def test_what_is_wrong_with_functions_is_named_with_its_place(
    fields: dict[str, Any], place: str, reason: str
):
    request = proto_json.read_value(GenerateContentRequest, fields)
    ((path, said),) = function_violations(request, SchemaBounds())
    assert (path, said.endswith(reason)) == (place, True), said


NOTHING: dict[str, Any] = {"type": "object", "properties": {}}


@pytest.mark.parametrize(
    ("fields", "parameters"),
    [
        ({}, NOTHING),
        ({"parameters": {}}, NOTHING),
        ({"parameters": {"type": "OBJECT"}}, {"type": "object"}),
        ({"parameters": {"type": "OBJECT", "properties": {}}}, {"type": "object"}),
        ({"parametersJsonSchema": {}}, NOTHING),
        ({"parametersJsonSchema": {"description": "d"}}, NOTHING | {"description": "d"}),
        ({"parametersJsonSchema": NOTHING | {"additionalProperties": False}}, None),
    ],
)
def test_a_function_that_names_no_argument_has_none(
    fields: dict[str, Any], parameters: dict[str, Any] | None
):
    functions = functions_of([F | fields], mode="ANY")
    (function,) = functions.declared
    assert function.parameters == (parameters or fields["parametersJsonSchema"])
    for seed in range(5):
        assert all(call.arguments == {} for call in said_by(functions.rules, seed).calls)


@pytest.mark.parametrize("name", ["f" * 128, "a.b:c-d_0", "_"])
def test_names_may_be_as_long_and_as_odd_as_the_rule_says(name: str):
    request = proto_json.read_value(GenerateContentRequest, declaring({"name": name}))
    assert list(function_violations(request, SchemaBounds())) == []
    functions = functions_of([{"name": name}], mode="ANY")
    assert {call.name for call in said_by(functions.rules, seed=1).calls} == {name}


def test_any_names_of_arguments_are_any_names():
    schema = {"type": "object", "additionalProperties": {"type": "integer"}, "minProperties": 1}
    functions = functions_of([F | {"parametersJsonSchema": schema}], mode="ANY")
    for seed in range(20):
        for call in said_by(functions.rules, seed).calls:
            jsonschema.validate(call.arguments, schema)


def test_functions_keep_their_definitions_apart():
    declarations = [
        {
            "name": name,
            "parametersJsonSchema": {
                "$defs": {"it": {"enum": [name]}},
                "properties": {"it": {"$ref": "#/$defs/it"}},
                "required": ["it"],
            },
        }
        for name in ("f", "g")
    ]
    functions = functions_of(declarations, mode="ANY")
    for seed in range(20):
        for call in said_by(functions.rules, seed).calls:
            assert call.arguments == {"it": call.name}


def test_the_result_of_a_function_is_described_with_what_it_does():
    declaration = F | {"description": "Does it.", "response": {"type": "INTEGER"}}
    assert functions_of([declaration]).declared[0].description == (
        'Does it.\nIts result is JSON of this schema: {"type": "integer"}'
    )
