"""The process in which schemas are compiled and proved that may take it down.

    stdin    orders, a line each
    stdout   replies, a line each

It limits itself before each order. What ends it, be it a limit, a stack without end or a panic of
a library, costs that order alone: whoever asked starts another process.
"""

import contextlib
import json
import math
import os
import resource
import sys
import time
from functools import lru_cache

import msgspec

from toplu.structured.bounds import SchemaBounds
from toplu.structured.compiler import compile_schema, compile_validator
from toplu.structured.grammar import compile_error
from toplu.structured.guard.orders import (
    AnyOrder,
    CompileGrammar,
    CompileSchema,
    ProveValues,
    Reply,
    SampleAnswer,
)
from toplu.structured.schema_fault import SchemaFault
from toplu.structured.structure import Structure
from toplu.structured.validator import Validator, Violation
from toplu.structured.walks.walk import sample_answer

KEPT_MAX = 16  # compiled schemas


def main() -> None:
    """Do what each line of stdin orders, until there are no more."""
    # Rust would look for where memory ended, in memory that it does not get, for ever.
    os.putenv("RUST_BACKTRACE", "0")
    decoder = msgspec.json.Decoder(AnyOrder)
    for line in sys.stdin.buffer:
        order = decoder.decode(line)
        _limit(order.bounds)
        try:
            reply = _do(order)
        except SchemaFault as fault:
            reply = Reply(fault=(fault.path, fault.reason))
        sys.stdout.buffer.write(msgspec.json.encode(reply) + b"\n")
        sys.stdout.buffer.flush()


def _limit(bounds: SchemaBounds) -> None:
    seconds = math.ceil(time.process_time() + bounds.seconds_max)
    limits = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_CPU: seconds,
        resource.RLIMIT_AS: bounds.memory_bytes_max,
    }
    for limit, soft in limits.items():
        # A limit that is lower already stays, and some systems have no bound on addresses.
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(limit, (soft, resource.getrlimit(limit)[1]))


def _do(order: AnyOrder) -> Reply:
    match order:
        case CompileSchema(validates_only=True):
            _validator(order)
            return Reply()
        case CompileSchema():
            return Reply(held=json.dumps(_structure(order).held_schema))
        case CompileGrammar():
            return Reply(error=compile_error(order.grammar, order.bounds))
        case ProveValues():
            validator = _validator(order.compiled)
            found = [validator.find_violation(value) for value in json.loads(order.values)]
            return Reply(violations=[_write(each) for each in found])
        case SampleAnswer():
            return Reply(answer=sample_answer(_structure(order.compiled)))


def _write(violation: Violation | None) -> tuple[str, str] | None:
    return None if violation is None else (violation.keyword, violation.place)


def _validator(order: CompileSchema) -> Validator:
    return _only_validator(order) if order.validates_only else _structure(order).validator


@lru_cache(maxsize=KEPT_MAX)
def _structure(order: CompileSchema) -> Structure:
    return compile_schema(json.loads(order.schema), order.path, order.bounds)


@lru_cache(maxsize=KEPT_MAX)
def _only_validator(order: CompileSchema) -> Validator:
    return compile_validator(json.loads(order.schema), order.path, order.bounds)


if __name__ == "__main__":
    main()
