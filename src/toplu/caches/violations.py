"""The error of a cache that breaks a rule, in the form that the hosted service gives to it."""

from toplu.errors import FieldViolation, InvalidArgument


def violation(field: str, reason: str) -> InvalidArgument:
    """Return the error for a field of CachedContent, named in proto snake_case."""
    return InvalidArgument.of_fields(
        [FieldViolation(field, f"* CachedContent.{field}: {reason}\n")]
    )
