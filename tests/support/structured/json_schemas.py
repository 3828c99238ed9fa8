"""Random schemas out of everything that is served."""

from typing import Any

from hypothesis import strategies as st

names = st.sampled_from(
    ["a", "b", "größe", "with blank", 'quo"te', "back\\slash", "名前", "new\nline"]
)
counts = st.integers(0, 4)


@st.composite
def ranges(draw: Any, low_name: str, high_name: str, values: Any) -> dict[str, Any]:
    low, high = sorted([draw(values), draw(values)])
    chosen = {low_name: low, high_name: high}
    return {name: value for name, value in chosen.items() if draw(st.booleans())}


def _typed(kind: str, *more: Any) -> Any:
    return st.tuples(*more).map(
        lambda dicts: {"type": kind} | {key: value for each in dicts for key, value in each.items()}
    )


strings = _typed("string", ranges("minLength", "maxLength", counts))
integers = _typed("integer", ranges("minimum", "maximum", st.integers(-3000, 3000)))
numbers = _typed("number", ranges("minimum", "maximum", st.decimals(-50, 50, places=2).map(float)))
literals = st.lists(
    names | st.integers(-5, 5) | st.booleans() | st.none(), min_size=1, max_size=3
).map(lambda values: {"enum": values})
plain = st.one_of(
    strings,
    integers,
    numbers,
    literals,
    st.sampled_from(
        [
            {"type": "boolean"},
            {"type": "null"},
            {},
            {"type": ["string", "null"]},
            {"type": "string", "pattern": "^[a-f]{2,4}$"},
            {"const": {"x": [1, None]}},
        ]
    ),
)


@st.composite
def objects(draw: Any, inner: Any) -> dict[str, Any]:
    properties = draw(st.dictionaries(names, inner, min_size=1, max_size=4))
    required = [name for name in properties if draw(st.booleans())]
    return {"type": "object", "properties": properties, "required": required}


def _combined(inner: Any) -> Any:
    return st.one_of(
        objects(inner),
        st.tuples(ranges("minItems", "maxItems", counts), inner).map(
            lambda both: {"type": "array", "items": both[1]} | both[0]
        ),
        st.lists(inner, min_size=1, max_size=3).map(
            lambda items: {
                "type": "array",
                "prefixItems": items,
                "items": False,
                "minItems": len(items),
            }
        ),
        st.lists(inner, min_size=1, max_size=3).map(lambda options: {"anyOf": options}),
        st.lists(inner, min_size=1, max_size=2).map(lambda options: {"oneOf": options}),
        inner.map(lambda values: {"type": "object", "additionalProperties": values}),
    )


json_schemas = st.recursive(plain, _combined, max_leaves=8)
