"""The keywords of JSON Schema: which say something about a value, which only tell about it.

A keyword in neither list is refused by name. Leaving it out would let an answer through that
does not validate.
"""

from typing import Any

from toplu.structured.shape import SchemaFault

ANNOTATIONS = frozenset(
    {
        "$schema",
        "$id",
        "$anchor",
        "$comment",
        "$defs",
        "definitions",
        "title",
        "description",
        "default",
        "example",
        "examples",
        "deprecated",
        "readOnly",
        "writeOnly",
        "discriminator",
        "propertyOrdering",
        "contentMediaType",
        "contentEncoding",
    }
)
OF_TYPE = {
    "string": frozenset({"minLength", "maxLength", "pattern", "format"}),
    "integer": frozenset(
        {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "format"}
    ),
    "number": frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "format"}),
    "boolean": frozenset[str](),
    "null": frozenset[str](),
    "array": frozenset({"items", "prefixItems", "minItems", "maxItems", "uniqueItems"}),
    "object": frozenset(
        {"properties", "required", "additionalProperties", "minProperties", "maxProperties"}
    ),
}
COMBINERS = ("$ref", "enum", "const", "anyOf", "oneOf", "allOf")
ASSERTIONS = frozenset().union(*OF_TYPE.values())
# Without a type, these tell which one is meant.
TELLING = {
    "object": OF_TYPE["object"],
    "array": OF_TYPE["array"],
    "string": frozenset({"minLength", "maxLength", "pattern"}),
    "number": OF_TYPE["number"] - {"format"},
}

FORMATS = {
    "date": (
        r"^[12]\d{3}-((0[13578]|1[02])-(0[1-9]|[12]\d|3[01])|(0[469]|11)-(0[1-9]|[12]\d|30)"
        r"|02-(0[1-9]|1\d|2[0-8]))$"
    ),
    "time": r"^([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6})?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$",
    "duration": r"^P(\d{1,4}D(T\d{1,4}[HMS])?|\d{1,4}W|T\d{1,4}H(\d{1,2}M)?|T\d{1,4}[MS])$",
    "uuid": r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
    "email": (
        r"^[A-Za-z0-9]{1,30}([._-][A-Za-z0-9]{1,20}){0,2}"
        r"@([A-Za-z0-9]{1,20}-)?[A-Za-z0-9]{1,30}(\.[A-Za-z0-9]{1,20})?\.[A-Za-z]{2,8}$"
    ),
    "uri": (
        r"^https?://([A-Za-z][A-Za-z0-9]{0,40}\.){1,4}[A-Za-z]{2,8}"
        r"(/[A-Za-z0-9._~-]{0,80}){0,8}$"
    ),
    "ipv4": r"^((25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)\.){3}(25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)$",
    "ipv6": r"^([0-9a-f]{1,4}:){7}[0-9a-f]{1,4}$",
}
FORMATS["date-time"] = f"{FORMATS['date'][:-1]}T{FORMATS['time'][1:]}"


def check_keywords(schema: dict[str, Any], path: str) -> None:
    """Raise SchemaFault for a keyword that is not served, or that stands where it has no say."""
    known = ANNOTATIONS | ASSERTIONS | {"type", *COMBINERS}
    for name in schema:
        if name not in known and not name.startswith("x-"):
            raise SchemaFault(_below(path, name), "is not supported in a schema.")
    combiners = [name for name in COMBINERS if name in schema]
    if len(combiners) > 1:
        reason = f"cannot stand beside {combiners[0]}."
        raise SchemaFault(_below(path, combiners[1]), reason)
    # A format beside the values of an enum is how OpenAPI marks it.
    allowed = {"format"} if combiners and combiners[0] in ("enum", "const") else set()
    for name in schema:
        if combiners and name in ASSERTIONS - allowed:
            raise SchemaFault(_below(path, name), f"cannot stand beside {combiners[0]}.")


def types_of(schema: dict[str, Any], path: str) -> list[str]:
    """Return the types that the schema allows, or none if it names none and none is meant."""
    given = schema.get("type")
    if given is None:
        return next(([kind] for kind, telling in TELLING.items() if telling & schema.keys()), [])
    kinds = given if isinstance(given, list) else [given]
    if not kinds or not all(isinstance(kind, str) and kind in OF_TYPE for kind in kinds):
        raise SchemaFault(_below(path, "type"), f"{given!r} is not a type of JSON Schema.")
    return list(dict.fromkeys(kinds))


def _below(path: str, name: str) -> str:
    return f"{path}.{name}"
