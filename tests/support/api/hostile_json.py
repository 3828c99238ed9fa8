"""JSON that no honest client writes: nearly right messages, and texts that break readers."""

import json
from typing import Any

from hypothesis import strategies as st

PLAIN_REQUEST: dict[str, Any] = {
    "contents": [{"role": "user", "parts": [{"text": "hello"}]}],
    "systemInstruction": {"parts": [{"text": "be brief"}]},
    "generationConfig": {
        "temperature": 0.5,
        "topP": 0.9,
        "topK": 40,
        "candidateCount": 2,
        "maxOutputTokens": 5,
        "stopSequences": ["x"],
        "seed": 1,
        "thinkingConfig": {"thinkingBudget": 0},
    },
    "tools": [{"functionDeclarations": [{"name": "f", "parameters": {"type": "OBJECT"}}]}],
    "toolConfig": {"functionCallingConfig": {"mode": "AUTO"}},
    "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}],
}
PLAIN_FORM: dict[str, Any] = {
    "contents": [{"role": "user", "parts": [{"text": "hello"}]}],
    "generationConfig": {
        "responseMimeType": "application/json",
        "responseSchema": {
            "type": "OBJECT",
            "properties": {"a": {"type": "STRING", "enum": ["x"]}, "b": {"type": "INTEGER"}},
            "required": ["a"],
        },
    },
}
PLAIN_EMBEDDING: dict[str, Any] = {
    "content": {"parts": [{"text": "hello"}]},
    "taskType": "RETRIEVAL_QUERY",
    "title": "t",
    "outputDimensionality": 4,
}

NAMES = """text parts role generation_config inlineData fileData functionCall $ref $defs anyOf
    pattern enum __proto__ @type 🌍 \0"""
names = st.sampled_from(
    ["", *PLAIN_REQUEST, *PLAIN_REQUEST["generationConfig"], *PLAIN_EMBEDDING, *NAMES.split()]
)
# Texts of JSON values, not all of which are JSON.
SCALARS = r"""null true 0 -1 1e400 -1e-400 0.1e+5 NaN -Infinity 01 9223372036854775808
    "\ud800" "\udc00\ud800" "\u0000" "" "x" 'x' "\x" "files/x" "data:,x" "^(a+)+$" "INTEGER"
    [] {} [[]] {"a":1,"a":2} [,]"""
scalars = st.sampled_from([*SCALARS.split(), "9" * 400])
nested = st.integers(1, 400).flatmap(
    lambda depth: st.sampled_from(
        ["[" * depth + "]" * depth, '{"a":' * depth + "1" + "}" * depth, "[" * depth]
    )
)


def _object(pairs: list[tuple[str, str]]) -> str:
    return "{" + ",".join(f"{json.dumps(name)}:{value}" for name, value in pairs) + "}"


values = st.recursive(
    scalars | nested,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{','.join(items)}]")
        | st.lists(st.tuples(names, inner), max_size=4).map(_object)
    ),
    max_leaves=6,
)


@st.composite
def bodies(draw: Any, plain: dict[str, Any]) -> bytes:
    """Return the plain message with some of its values replaced, or bytes of no meaning."""
    if draw(st.integers(0, 5)) == 0:
        return bytes(draw(st.binary(max_size=40)))
    text = _written(draw, plain).encode("utf-8", "surrogatepass")
    if draw(st.integers(0, 5)) == 0:
        place = draw(st.integers(0, len(text)))
        text = text[:place] + draw(st.binary(max_size=3)) + text[place + draw(st.integers(0, 9)) :]
    return text


def _written(draw: Any, value: Any) -> str:
    """Return the value as JSON in which one of seven values, at any depth, is another."""
    if draw(st.integers(0, 6)) == 0:
        return str(draw(values))
    if isinstance(value, dict):
        pairs = [(name, _written(draw, item)) for name, item in value.items()]
        if draw(st.integers(0, 4)) == 0:
            pairs.append((draw(names), draw(values)))
        return _object(pairs)
    if isinstance(value, list):
        return f"[{', '.join(_written(draw, item) for item in value)}]"
    return json.dumps(value)
