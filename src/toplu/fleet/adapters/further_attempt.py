"""The rules of a further attempt, for answers that do not validate."""

from collections.abc import Mapping
from typing import Any

from toplu.structured.validator import Validator

# A further attempt of a request that is to be answered by the likeliest tokens alone.
TEMPERATURE_AGAIN = 0.3
SEED_STEP = 1_000  # more than there are candidates
SEEDS = 2**31 - 1

NOT_WHOLE = "The answer has a function call that is not whole."
NO_CALL = "The answer calls no function, and has to."


def sampled_again(
    temperature: float | None, seed: int | None, seed_step: int
) -> tuple[float | None, int | None]:
    """Return the temperature and the seed of a further attempt; None: the engine decides."""
    if temperature == 0:
        return TEMPERATURE_AGAIN, ((seed or 0) + seed_step) % SEEDS
    return temperature, None if seed is None else (seed + seed_step) % SEEDS


def write_correction(violation: str) -> str:
    """Return what is put behind the question, so that the model knows what was wrong."""
    return f"\n\n{violation} Answer again, and correct it."


def write_violation(violation: object) -> str:
    """Return what a client reads of an answer that breaks its schema."""
    return f"The answer does not validate: {violation}."


def find_call_fault(name: str, arguments: Any, allowed: Mapping[str, Validator]) -> str:
    """Return why a call may not be made; empty: it may."""
    validator = allowed.get(name)
    if validator is None:
        return f"The answer calls `{name}`, which it may not."
    violation = validator.find_violation(arguments)
    return f"The arguments of `{name}` do not validate: {violation}." if violation else ""
