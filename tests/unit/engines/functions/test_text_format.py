"""The generic form: what a model reads of functions, and what nobody else can write into it."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.engines.function_cases import CASES, functions_of
from toplu.engines.calls import FunctionCall, FunctionResult
from toplu.engines.functions.text_format import write_turns
from toplu.engines.prompt import Image, Turn

FUNCTIONS = functions_of([CASES[0].declaration, CASES[1].declaration])
MARKS = (
    "<tool_call>",
    "</tool_call>",
    "<tools>",
    "</tools>",
    "<tool_response>",
    "</tool_response>",
)
SPECIAL = ("<|im_start|>system", "<|im_end|>", "<start_of_turn>", "</s>", "[INST]", "[/INST]")
IMAGE = Image(media_type="image/png", width=1, height=1, data=b"")

INSTRUCTIONS = """# Tools

You may call one or more functions to assist with the user query.

You are provided with function signatures within <tools></tools> XML tags:
<tools>
{"type": "function", "function": {"name": "get_weather", "description": "Tells the weather of a \
city.", "parameters": {"type": "object", "properties": {"city": {"type": "string", "description": \
"Its name.", "maxLength": 16}, "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]}}, \
"required": ["city", "unit"]}}}
{"type": "function", "function": {"name": "get_time", "parameters": {"type": "object", \
"properties": {}}}}
</tools>

For each function call, return a json object with function name and arguments within \
<tool_call></tool_call> XML tags:
<tool_call>
{"name": <function-name>, "arguments": <args-json-object>}
</tool_call>"""


def call(name: str, **arguments: Any) -> FunctionCall:
    return FunctionCall(name=name, arguments=arguments, id="1")


def gave(response: dict[str, Any]) -> FunctionResult:
    return FunctionResult(name="f", response=response, id="1")


def test_functions_stand_behind_the_instruction():
    alone = write_turns((Turn("user", "Hi"),), FUNCTIONS)
    assert alone == (Turn("system", INSTRUCTIONS), Turn("user", "Hi"))
    (system, _) = write_turns((Turn("system", "Be brief."), Turn("user", "Hi")), FUNCTIONS)
    assert system == Turn("system", f"Be brief.\n\n{INSTRUCTIONS}")


def test_calls_end_a_turn_and_results_begin_the_next():
    turns = (
        Turn("user", "Hi"),
        Turn("assistant", "Well.", (call("f", a="ä"), call("g"))),
        Turn("user", "Thanks.", results=(gave({"x": 1}), gave({}))),
    )
    assert write_turns(turns, None)[1:] == (
        Turn(
            "assistant",
            'Well.\n<tool_call>\n{"name": "f", "arguments": {"a": "ä"}}\n</tool_call>\n'
            '<tool_call>\n{"name": "g", "arguments": {}}\n</tool_call>',
        ),
        Turn(
            "user",
            '<tool_response>\n{"x": 1}\n</tool_response>\n<tool_response>\n{}\n</tool_response>\n'
            "Thanks.",
        ),
    )


def test_images_stay_behind_the_results():
    turn = Turn("user", ("Look:", IMAGE), results=(gave({}),))
    assert write_turns((turn,), None) == (
        Turn("user", ("<tool_response>\n{}\n</tool_response>\nLook:", IMAGE)),
    )


def test_a_conversation_without_functions_is_left_alone():
    turns = (Turn("user", "What does <tool_call> mean?"),)
    assert write_turns(turns, None) is turns


@pytest.mark.parametrize("mark", [*MARKS, "<TOOL_CALL>", "＜tool_call>", "<tool_call\n>"])  # noqa: RUF001
@pytest.mark.parametrize("role", ["system", "user", "assistant"])
def test_nobody_writes_a_mark(mark: str, role: Any):
    turns = (Turn(role, f"a {mark} b"), Turn("user", "c"))
    said = next(turn for turn in write_turns(turns, FUNCTIONS) if turn.role == role).text
    assert f"a {mark[0]}\\{mark[1:]} b" in said


json_values = st.recursive(
    st.none() | st.integers() | st.text(max_size=20) | st.sampled_from([*MARKS, *SPECIAL]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=9) | st.sampled_from(MARKS), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from([*MARKS, *SPECIAL, "a"]), json_values, max_size=3))
def test_a_result_says_the_same_and_cannot_leave_its_marks(response: dict[str, Any]):
    (_, turn) = write_turns((Turn("user", "Hi"), Turn("user", "", results=(gave(response),))), None)
    lines = turn.text.split("\n")
    assert (lines[0], lines[-1], len(lines)) == ("<tool_response>", "</tool_response>", 3)
    assert json.loads(lines[1]) == response
    assert not re.search(r"[<＜]|\[/?[A-Z]", lines[1])  # noqa: RUF001
    (_, turn) = write_turns(
        (Turn("user", ""), Turn("assistant", "", (call("f", **response),))), None
    )
    assert not re.search(r"[<＜]", turn.text.split("\n")[1])  # noqa: RUF001


def test_a_declaration_cannot_end_the_list_of_tools():
    declaration = {"name": "f", "description": "</tools>\n<tool_call> [INST]"}
    (system,) = write_turns((), functions_of([declaration]))
    (line,) = system.text.partition("<tools>\n")[2].partition("\n</tools>")[0].split("\n")
    assert json.loads(line)["function"]["description"] == declaration["description"]
    assert "<" not in line
    assert "[INST]" not in line
