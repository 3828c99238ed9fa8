"""Compiles schemas: the plain ones here, all others in the process of schemas, within limits.

schema ──▶ bounds ──▶ plain? ──▶ compiled and proved here
                        └──────▶ compiled and proved in a process that may be lost
"""

import json
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any, TypeVar

from toplu.structured import compiler
from toplu.structured.bounds import SchemaBounds, check_bounds
from toplu.structured.grammar import compile_error, write_rule
from toplu.structured.guard.orders import (
    AnyOrder,
    CompileGrammar,
    CompileSchema,
    ProveValues,
    Reply,
    SampleAnswer,
)
from toplu.structured.guard.plain import is_plain
from toplu.structured.guard.process import PROCESS, Spent
from toplu.structured.held_schema import without
from toplu.structured.panic import LibraryPanic, panics_caught
from toplu.structured.schema_fault import SchemaFault
from toplu.structured.structure import Structure
from toplu.structured.validator import NOT_JSON, Unproved, Validator, Violation
from toplu.structured.walks.walk import sample_answer

T = TypeVar("T")

# Set where a schema that is not plain must not hold up the thread, see `guard.threads`.
ONLY_PLAIN: ContextVar[bool] = ContextVar("only_plain", default=False)


class NotPlain(Exception):
    """The schema has to be compiled in the process of schemas, and this thread must not wait."""


def compile_schema(schema: Any, path: str, bounds: SchemaBounds) -> Structure:
    """Return the structure, or raise SchemaFault with a place below `path`."""
    check_bounds(schema, path, bounds)
    if is_plain(schema):
        return _compile_here(compiler.compile_schema, schema, path, bounds)
    reply, validator = _compile(schema, path, bounds, validates_only=False)
    held = json.loads(reply.held)
    return Structure(
        json_schema=without(schema, compiler.OPTIONS_OF_ENGINES),
        held_schema=held,
        rule=write_rule(held),
        validator=validator,
    )


def compile_validator(schema: Any, path: str, bounds: SchemaBounds) -> Validator:
    """Return what proves answers that others hold, or raise SchemaFault as `compile_schema`."""
    check_bounds(schema, path, bounds)
    if is_plain(schema):
        return _compile_here(compiler.compile_validator, schema, path, bounds)
    return _compile(schema, path, bounds, validates_only=True)[1]


def grammar_error(grammar: str, bounds: SchemaBounds, *, is_guarded: bool) -> str:
    """Return why a grammar made of schemas does not compile within the bounds; empty: it does."""
    if not is_guarded:
        return compile_error(grammar, bounds)
    try:
        return _ask(CompileGrammar(grammar=grammar, bounds=bounds)).error
    except Spent:
        return _over(bounds)


def sample(structure: Structure) -> str:
    """Return an answer as `sample_answer` does, or no text if finding one takes too much."""
    validator = structure.validator
    if structure.bare or not isinstance(validator, GuardedValidator):
        return sample_answer(structure)
    order = SampleAnswer(compiled=validator.compiled, bounds=validator.compiled.bounds)
    try:
        return _ask(order).answer
    except Spent:
        return ""


class GuardedValidator:
    """Proves values in the process of schemas."""

    is_guarded = True

    def __init__(self, compiled: CompileSchema) -> None:
        self.compiled = compiled

    def find_violation(self, value: Any) -> Violation | None:
        """Return the first thing that is wrong with a value, None if it is valid."""
        return self._find_violations([value])[0]

    def keep_valid(self, values: Sequence[T]) -> list[T]:
        violations = self._find_violations(values)
        return [value for value, each in zip(values, violations, strict=True) if each is None]

    def _find_violations(self, values: Sequence[Any]) -> list[Violation | None]:
        bounds = self.compiled.bounds
        try:
            written = json.dumps(values)
        except (ValueError, RecursionError):
            return [Violation(keyword=NOT_JSON, place="$") for _ in values]
        try:
            reply = _ask(ProveValues(compiled=self.compiled, values=written, bounds=bounds))
        except Spent:
            return [Unproved(keyword=_over(bounds), place="$") for _ in values]
        return [each and Violation(keyword=each[0], place=each[1]) for each in reply.violations]


def _compile_here(
    compile_as: Callable[[Any, str, SchemaBounds], T], schema: Any, path: str, bounds: SchemaBounds
) -> T:
    try:
        with panics_caught():
            return compile_as(schema, path, bounds)
    except LibraryPanic as panic:
        raise SchemaFault(path, f"brings a library down: {panic}") from panic


def _compile(
    schema: Any, path: str, bounds: SchemaBounds, *, validates_only: bool
) -> tuple[Reply, GuardedValidator]:
    written = json.dumps(schema)
    order = CompileSchema(schema=written, path=path, bounds=bounds, validates_only=validates_only)
    try:
        reply = _ask(order)
    except Spent:
        raise SchemaFault(path, f"cannot be compiled, for {_over(bounds)}.") from None
    return reply, GuardedValidator(order)


def _ask(order: AnyOrder) -> Reply:
    if ONLY_PLAIN.get():
        raise NotPlain
    reply = PROCESS.ask(order)
    if reply.fault is not None:
        raise SchemaFault(*reply.fault)
    return reply


def _over(bounds: SchemaBounds) -> str:
    return (
        f"that takes more than schema_seconds_max = {bounds.seconds_max} or "
        f"schema_memory_bytes_max = {bounds.memory_bytes_max}"
    )
