"""Panics of libraries in Rust: they come as exceptions that `except Exception` lets pass."""

from collections.abc import Iterator
from contextlib import contextmanager

MODULE = "pyo3_runtime"  # of the exception that carries a panic; it cannot be imported


class LibraryPanic(Exception):
    """A library met a fault of its own; the message is what it wrote of it."""


@contextmanager
def panics_caught() -> Iterator[None]:
    """Raise LibraryPanic where a library panics in the body."""
    try:
        yield
    except Exception:
        raise
    except BaseException as error:
        if type(error).__module__ != MODULE:
            raise
        raise LibraryPanic(str(error)) from error
