"""JSON values, and the ways in which clients write the same value differently."""

import base64
import json
from collections.abc import Callable
from enum import Enum
from typing import Any

import msgspec
from hypothesis import strategies as st

from toplu.wire.gemini.content import (
    Blob,
    Content,
    GenerateContentRequest,
    GenerationConfig,
    HarmBlockThreshold,
    HarmCategory,
    Part,
    SafetySetting,
)
from toplu.wire.gemini.message import FreeForm, Message
from toplu.wire.gemini.schema import Schema, Type
from toplu.wire.gemini.tool import (
    Behavior,
    FunctionCall,
    FunctionCallingConfig,
    FunctionDeclaration,
    GoogleSearch,
    Mode,
    Tool,
    ToolConfig,
)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
int32s = st.integers(-(2**31), 2**31 - 1)
floats = st.floats(allow_nan=False, allow_infinity=False)
scalars = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | floats | texts
json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)
free_forms = st.dictionaries(texts, json_values, max_size=3)


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


parts = st.builds(
    Part,
    text=maybe(texts),
    inline_data=maybe(st.builds(Blob, mime_type=maybe(texts), data=maybe(st.binary(max_size=9)))),
    thought=maybe(st.booleans()),
    function_call=maybe(
        st.builds(FunctionCall, id=maybe(texts), name=maybe(texts), args=maybe(free_forms))
    ),
)
int64_texts = st.integers(-(2**63), 2**63 - 1).map(str)
schemas = st.recursive(
    st.builds(
        Schema,
        type=maybe(st.sampled_from(Type)),
        nullable=maybe(st.booleans()),
        min_length=maybe(int64_texts),
        maximum=maybe(floats),
        enum=maybe(st.lists(texts, max_size=2)),
        default=maybe(json_values),
    ),
    lambda inner: st.builds(
        Schema,
        items=maybe(inner),
        any_of=maybe(st.lists(inner, max_size=2)),
        properties=maybe(st.dictionaries(texts, inner, max_size=3)),
    ),
    max_leaves=6,
)
contents = st.builds(Content, role=maybe(texts), parts=maybe(st.lists(parts, max_size=3)))
tools = st.builds(
    Tool,
    google_search=maybe(st.builds(GoogleSearch, exclude_domains=maybe(st.lists(texts)))),
    function_declarations=maybe(
        st.lists(
            st.builds(
                FunctionDeclaration,
                name=maybe(texts),
                behavior=maybe(st.sampled_from(Behavior)),
                parameters=maybe(schemas),
                parameters_json_schema=maybe(free_forms),
            ),
            max_size=2,
        )
    ),
)
requests = st.builds(
    GenerateContentRequest,
    model=maybe(texts),
    contents=maybe(st.lists(contents, max_size=3)),
    system_instruction=maybe(contents),
    tools=maybe(st.lists(tools, max_size=2)),
    tool_config=maybe(
        st.builds(
            ToolConfig,
            function_calling_config=st.builds(
                FunctionCallingConfig,
                mode=maybe(st.sampled_from(Mode)),
                allowed_function_names=maybe(st.lists(texts, max_size=2)),
            ),
        )
    ),
    safety_settings=maybe(
        st.lists(
            st.builds(
                SafetySetting,
                category=maybe(st.sampled_from(HarmCategory)),
                threshold=maybe(st.sampled_from(HarmBlockThreshold)),
            ),
            max_size=2,
        )
    ),
    generation_config=maybe(
        st.builds(
            GenerationConfig,
            candidate_count=maybe(int32s),
            stop_sequences=maybe(st.lists(texts, max_size=3)),
            temperature=maybe(floats),
            top_k=maybe(int32s),
            response_logprobs=maybe(st.booleans()),
            response_schema=maybe(schemas),
        )
    ),
)


def render_loosely(value: Any, choose: Callable[[list[str]], str]) -> str:
    """Write a JSON value with single quotes, bare keys and trailing commas, as chosen."""
    if isinstance(value, dict):
        members = [
            f"{_render_key(key, choose)}{choose([':', ' : '])}{render_loosely(inner, choose)}"
            for key, inner in value.items()
        ]
        return "{" + _join(members, choose) + "}"
    if isinstance(value, list):
        return "[" + _join([render_loosely(inner, choose) for inner in value], choose) + "]"
    if isinstance(value, str):
        return _render_string(value, choose)
    return json.dumps(value)


def _join(pieces: list[str], choose: Callable[[list[str]], str]) -> str:
    return choose([",", ",\n ", "\v,"]).join(pieces) + (choose(["", ",", " , "]) if pieces else "")


def _render_key(key: str, choose: Callable[[list[str]], str]) -> str:
    is_bare = key.isascii() and key.isidentifier() and key not in {"true", "false", "null"}
    return choose([key, _render_string(key, choose)] if is_bare else [_render_string(key, choose)])


def _render_string(text: str, choose: Callable[[list[str]], str]) -> str:
    quote = choose(["'", '"'])
    # Only the backslash and the quote need an escape; control characters stay raw.
    return quote + text.replace("\\", "\\\\").replace(quote, "\\" + quote) + quote


def render_as_proto(message: Message) -> Any:
    """Write a message in the other spelling of everything: names, numbers, bytes and enums."""
    values = {name: getattr(message, name) for name in message.__struct_fields__}
    shapes = {each.name: each for each in msgspec.structs.fields(type(message))}
    return {
        name: _render_field(value, free_form=shapes[name].type in (Any, FreeForm | None))
        for name, value in values.items()
    }


def _render_field(value: Any, *, free_form: bool) -> Any:
    if free_form:
        return value
    match value:
        case list():
            rendered: Any = [_render_field(item, free_form=False) for item in value]
        case Message():
            rendered = render_as_proto(value)
        case Enum():
            rendered = list(type(value)).index(value)
        case dict():
            rendered = {key: _render_field(inner, free_form=False) for key, inner in value.items()}
        case bytes():
            rendered = base64.urlsafe_b64encode(value).decode().rstrip("=")
        case bool():
            rendered = json.dumps(value)
        case int() | float():
            rendered = repr(value)
        case _:
            rendered = value
    return rendered
