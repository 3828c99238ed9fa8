"""Schema: the part of OpenAPI 3.0 in which a request says what its answer looks like.

Source: the v1beta API description of generativelanguage.googleapis.com.
"""

from enum import StrEnum
from typing import Any

from toplu.wire.gemini.message import Int64, Message


class Type(StrEnum):
    """The kind of a JSON value, in proto order."""

    TYPE_UNSPECIFIED = "TYPE_UNSPECIFIED"
    STRING = "STRING"
    NUMBER = "NUMBER"
    INTEGER = "INTEGER"
    BOOLEAN = "BOOLEAN"
    ARRAY = "ARRAY"
    OBJECT = "OBJECT"
    NULL = "NULL"


class Schema(Message, frozen=True, kw_only=True):
    """A description of JSON values; the keys of `properties` are the client's own."""

    type: Type | None = None
    format: str | None = None
    title: str | None = None
    description: str | None = None
    nullable: bool | None = None
    enum: list[str] | None = None
    items: "Schema | None" = None
    min_items: Int64 | None = None
    max_items: Int64 | None = None
    properties: "dict[str, Schema] | None" = None
    property_ordering: list[str] | None = None
    required: list[str] | None = None
    min_properties: Int64 | None = None
    max_properties: Int64 | None = None
    min_length: Int64 | None = None
    max_length: Int64 | None = None
    pattern: str | None = None
    example: Any = None
    any_of: "list[Schema] | None" = None
    default: Any = None
    minimum: float | None = None
    maximum: float | None = None
