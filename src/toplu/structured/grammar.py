"""Compiles schemas to grammars of llguidance, the library that engines hold answers with.

A grammar that an engine cannot compile leaves its answer free, so each is compiled here first.
What even the lenient compiler refuses is left out of the grammar, a little more each time; the
validator proves it in the end.
"""

import json
from collections.abc import Iterator
from typing import Any

import llguidance

from toplu.structured.bounds import SchemaBounds
from toplu.structured.held_schema import without, write_held
from toplu.structured.schema_fault import SchemaFault
from toplu.structured.structure import write_whole

TOO_MANY_STATES = "The specified schema produces a constraint that has too many states for serving."
# White space is one blank behind a comma or a colon: small models would fill answers with it.
OPTIONS = {
    "lenient": True,
    "whitespace_flexible": False,
    "item_separator": ", ",
    "key_separator": ": ",
}
HARD = frozenset(
    {"patternProperties", "propertyNames", "not", "if", "then", "else", "unevaluatedProperties"}
)
PATTERNS = frozenset({"pattern", "format", "multipleOf"})
JOINED = frozenset({"allOf", "dependencies", "dependentSchemas", "additionalProperties"})
COUNTS = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"})
SIZE_WORDS = ("too large", "too many", "too complex", "fuel", "limit")

LIMITS = {"precompute_large_lexemes": False, "verbose_errors": False}


def find_held(schema: Any, path: str, bounds: SchemaBounds) -> dict[str, Any]:
    """Return the schema that holds an answer as well as a grammar can, with our options in it.

    SchemaFault: the grammar has too many states.
    """
    is_too_large = False
    refusal = ""
    for rung, is_free in _ladder(schema):
        if is_free and is_too_large:
            # It can be written, only not within the bound, and hardly any answer would validate.
            raise_too_large(path, bounds)
        held = _with_options(rung)
        refusal = compile_error(write_whole(f"start: {write_rule(held)}\n"), bounds)
        if not refusal:
            return held
        is_too_large = is_too_large or any(word in refusal for word in SIZE_WORDS)
    raise SchemaFault(path, f"no grammar holds an answer to it: {refusal}")


def write_rule(held: dict[str, Any]) -> str:
    """Return the right side of the rule of a schema."""
    return f"%json {json.dumps(held, ensure_ascii=False)}"


def write_literals(texts: tuple[str, ...]) -> str:
    """Return the right side of a rule of one of these texts."""
    return " | ".join(json.dumps(text, ensure_ascii=False) for text in texts)


def compile_error(grammar: str, bounds: SchemaBounds) -> str:
    """Return why a grammar does not compile within the bounds; empty: it does."""
    limits = llguidance.LLParserLimits(max_grammar_size=bounds.states_max, **LIMITS)
    matcher = llguidance.LLMatcher(BYTES, grammar, log_level=0, limits=limits)
    return str(matcher.get_error()).partition("\n")[0] if matcher.is_error() else ""


def raise_too_large(path: str, bounds: SchemaBounds) -> None:
    """Raise the SchemaFault of a grammar over the bound of its states."""
    reason = f"{TOO_MANY_STATES} The bound is schema_states_max = {bounds.states_max}."
    raise SchemaFault(path, reason)


def _ladder(schema: Any) -> Iterator[tuple[Any, bool]]:
    """Yield what to hold to, from all that can be held to down to any value of the root's type.

    With each comes whether it is the last, which says next to nothing.
    """
    yield write_held(schema, closed=True), False
    yield write_held(schema, closed=False), False
    dropped: frozenset[str] = frozenset()
    for more in (HARD, PATTERNS, JOINED, COUNTS):
        dropped |= more
        yield write_held(without(schema, dropped), closed=False), False
    kind = schema.get("type") if isinstance(schema, dict) else None
    yield {} if kind is None else {"type": kind}, True


def _with_options(schema: Any) -> dict[str, Any]:
    # After the client's own, which is an annotation like any other.
    return (schema if isinstance(schema, dict) else {}) | {"x-guidance": OPTIONS}


class _Bytes:
    """A vocabulary of the 256 bytes, and an end."""

    eos_token_id = 256
    bos_token_id = None
    tokens = (*(bytes([byte]) for byte in range(256)), b"<end>")
    special_token_ids = (256,)

    def __call__(self, text: bytes) -> list[int]:
        return list(text)


BYTES = llguidance.LLTokenizer(llguidance.TokenizerWrapper(_Bytes()), slices=[])
END = _Bytes.eos_token_id
