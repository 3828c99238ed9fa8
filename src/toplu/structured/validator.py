"""Checks schemas, and proves answers, with jsonschema-rs: drafts 4 to 2020-12, formats asserted."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit

import jsonschema_rs

from toplu.structured.panic import LibraryPanic, panics_caught
from toplu.structured.schema_fault import SchemaFault, write_place

T = TypeVar("T")

VALIDATORS: dict[int, Callable[..., Any]] = {
    4: jsonschema_rs.Draft4Validator,
    6: jsonschema_rs.Draft6Validator,
    7: jsonschema_rs.Draft7Validator,
    2019: jsonschema_rs.Draft201909Validator,
    2020: jsonschema_rs.Draft202012Validator,
}
DRAFT_NUMBERS = {
    4: jsonschema_rs.Draft4,
    6: jsonschema_rs.Draft6,
    7: jsonschema_rs.Draft7,
    2019: jsonschema_rs.Draft201909,
    2020: jsonschema_rs.Draft202012,
}
UUID_VERSIONS = range(1, 9)
OUTSIDE = "refers outside the schema, and nothing is fetched."
NO_VALUE = "no value can meet the schema."
NOT_JSON = "JSON"  # the keyword of an answer that does not even parse


def _is_uuid(version: int, text: Any) -> bool:
    digits = "[0-9a-fA-F]"
    pattern = (
        f"{digits}{{8}}-{digits}{{4}}-{version}{digits}{{3}}-[89abAB]{digits}{{3}}-{digits}{{12}}"
    )
    return not isinstance(text, str) or re.fullmatch(pattern, text) is not None


# pydantic writes UUIDs of one version so.
FORMATS = {f"uuid{version}": partial(_is_uuid, version) for version in UUID_VERSIONS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """The keyword of a schema that an answer breaks, and its place in the answer."""

    keyword: str
    place: str  # `$` is the whole answer, as in JSONPath

    def __str__(self) -> str:
        return f"`{self.keyword}` at {self.place}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unproved(Violation):
    """An answer of which nobody knows whether it is valid; the keyword is why."""

    def __str__(self) -> str:
        return f"it cannot be proved, for {self.keyword}"


class Validator(Protocol):
    """The schema that values are held against."""

    @property
    def is_guarded(self) -> bool:
        """Whether finding a violation may take seconds, in a process of its own."""
        ...

    def find_violation(self, value: Any) -> Violation | None:
        """Return the first thing that is wrong with a value, None if it is valid."""
        ...

    def keep_valid(self, values: Sequence[T]) -> list[T]:
        """Return the values that are valid."""
        ...


class SchemaValidator:
    """A checked schema that values are held against, in this process."""

    is_guarded = False

    def __init__(self, schema: Any, draft: int, path: str) -> None:
        """Check the schema; raise SchemaFault, with a place below `path`, if it is none."""
        try:
            self._validator = VALIDATORS[draft](
                schema, validate_formats=True, formats=FORMATS, offline=True
            )
        except jsonschema_rs.ValidationError as error:
            raise _fault(error, schema, path) from None
        except (ValueError, TypeError, OverflowError, RecursionError) as error:
            raise SchemaFault(path, f"is no JSON schema: {error}") from None

    def find_violation(self, value: Any) -> Violation | None:
        """Return the first thing that is wrong with a value, None if it is valid."""
        try:
            return self._find_violation(value)
        except (ValueError, OverflowError, RecursionError):
            return Violation(keyword=NOT_JSON, place="$")
        except LibraryPanic:
            return Unproved(keyword="the validator failed", place="$")

    def _find_violation(self, value: Any) -> Violation | None:
        with panics_caught():
            # An error is far dearer than a verdict: it has everything in it that was tried.
            if self._validator.is_valid(value):
                return None
            error = next(self._validator.iter_errors(value), None)
        if error is None:
            return None
        return Violation(keyword=error.kind.name, place=write_place("$", error.instance_path))

    def keep_valid(self, values: Sequence[T]) -> list[T]:
        return [value for value in values if self.find_violation(value) is None]


def check_satisfiable(schema: Any, draft: int, path: str) -> None:
    """Raise SchemaFault if it is certain that no value meets the schema."""
    try:
        canonical = jsonschema_rs.canonicalize(
            schema, draft=DRAFT_NUMBERS[draft], validate_formats=False, offline=True
        )
    except (jsonschema_rs.ValidationError, jsonschema_rs.canonical.CanonicalizationError):
        return  # what it cannot read may well have values
    if canonical.satisfiability() == jsonschema_rs.canonical.Satisfiability.NO:
        raise SchemaFault(path, NO_VALUE)


def _fault(error: Any, schema: Any, path: str) -> SchemaFault:
    if error.kind.name == "$ref":
        reason = error.message.partition("\n")[0]
        for place, reference in _references(schema, ()):
            if reference in reason or reference.removeprefix("#") in reason:
                wrong = OUTSIDE if _is_outside(reference) else f"`{reference}` is not there."
                return SchemaFault(write_place(path, place), wrong)
        return SchemaFault(path, f"has a $ref that leads nowhere: {reason}")
    return SchemaFault(write_place(path, error.instance_path), error.message.partition("\n")[0])


def _is_outside(reference: str) -> bool:
    address = urlsplit(reference)
    return bool(address.scheme or address.netloc or address.path)


def _references(value: Any, place: tuple[str | int, ...]) -> Iterator[tuple[Any, str]]:
    pairs: Any = ()
    if isinstance(value, dict):
        pairs = value.items()
        for keyword in ("$ref", "$dynamicRef", "$recursiveRef"):
            if isinstance(reference := value.get(keyword), str):
                yield (*place, keyword), reference
    elif isinstance(value, list):
        pairs = enumerate(value)
    for step, inner in pairs:
        yield from _references(inner, (*place, step))
