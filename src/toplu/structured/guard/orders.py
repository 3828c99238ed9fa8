"""Messages to the process of schemas, and its replies: one line of JSON each."""

import msgspec

from toplu.structured.bounds import SchemaBounds


class Order(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Something to be done within the limits of `bounds`."""

    bounds: SchemaBounds


class CompileSchema(Order, frozen=True, kw_only=True):
    """Compile a schema, given as JSON; `path` is its place in the request."""

    schema: str
    path: str
    validates_only: bool  # nobody needs its grammar


class CompileGrammar(Order, frozen=True, kw_only=True):
    """Compile a grammar."""

    grammar: str


class ProveValues(Order, frozen=True, kw_only=True):
    """Hold each value of a list, given as JSON, against a schema that compiles."""

    compiled: CompileSchema
    values: str


class SampleAnswer(Order, frozen=True, kw_only=True):
    """Find an answer to a schema that compiles."""

    compiled: CompileSchema


AnyOrder = CompileSchema | CompileGrammar | ProveValues | SampleAnswer


class Reply(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The result of an order; only what it asks for is there."""

    fault: tuple[str, str] | None = None  # place and reason, of a schema that is refused
    held: str = ""  # JSON
    error: str = ""  # of a grammar
    violations: list[tuple[str, str] | None] = []  # keyword and place, a value each
    answer: str = ""
