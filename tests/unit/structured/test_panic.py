"""A panic of a library in Rust is an error like any other."""

import asyncio

import pytest

from toplu.structured.bounds import SchemaBounds
from toplu.structured.guard import guarded
from toplu.structured.guard.guarded import compile_schema
from toplu.structured.panic import LibraryPanic, panics_caught
from toplu.structured.schema_fault import SchemaFault

Panic = type("PanicException", (BaseException,), {"__module__": "pyo3_runtime"})


def test_a_panic_is_caught_and_nothing_else() -> None:
    with pytest.raises(LibraryPanic, match="index out of bounds"), panics_caught():
        raise Panic("index out of bounds")
    for other in (ValueError, asyncio.CancelledError, KeyboardInterrupt):
        with pytest.raises(other), panics_caught():
            raise other


def test_a_panic_while_a_schema_is_compiled_is_a_fault_of_the_schema(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def panic(*_: object) -> None:
        raise Panic("index out of bounds")

    monkeypatch.setattr(guarded.compiler, "compile_schema", panic)
    with pytest.raises(SchemaFault, match="brings a library down: index out of bounds"):
        compile_schema({"type": "null"}, "schema", SchemaBounds())
