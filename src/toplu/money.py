"""Prices of tokens in whole numbers: nothing here is rounded, so that sums balance.

A price is given for a million tokens with five decimals at most. A token's price is then a whole
number of units, twice over: half of it is whole too, and half is what a batch pays.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from operator import attrgetter

UNITS = 10**12  # of which one whole of the currency is made
DECIMALS = 5
PRICE_PATTERN = rf"^[0-9]{{1,6}}(\.[0-9]{{1,{DECIMALS}}})?\Z"
AMOUNT_PATTERN = rf"^[0-9]{{1,9}}(\.[0-9]{{1,{DECIMALS}}})?\Z"
CURRENCY_PATTERN = r"^[A-Z]{3}\Z"

UNITS_OF_A_HUNDRED_THOUSANDTH: int = UNITS // 10**DECIMALS
# The least price of a million tokens, shared among them.
UNITS_OF_A_STEP = UNITS_OF_A_HUNDRED_THOUSANDTH // 10**6
BATCH_SHARE = 2  # a batch pays one part of so many

# Tenths of a prompt token, as what an engine is shared by: a token that is in its cache costs it
# next to nothing, and one that it writes several that it reads, on every engine that was measured.
WORK_OF_PROMPT_TOKEN = 10
WORK_OF_CACHED_TOKEN = 1
WORK_OF_OUTPUT_TOKEN = 40
# So that requests that fail without a token are not free.
WORK_OF_REQUEST = 10


class Kind(StrEnum):
    """The kind of call that requests came by, which decides on their price."""

    INTERACTIVE = "interactive"
    FLEX = "flex"  # a call that waits like a batch, and costs as much
    BATCH = "batch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens that were read and written."""

    prompt_tokens: int = 0
    cached_tokens: int = 0  # of the prompt tokens, those that were not computed again
    output_tokens: int = 0
    # Of all of these, those of attempts whose answer was discarded: they count, and cost nothing.
    discarded_prompt_tokens: int = 0
    discarded_cached_tokens: int = 0
    discarded_output_tokens: int = 0
    # Answers kept from another batch, and the tokens that these had used there.
    reused_requests: int = 0
    reused_tokens: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(**{name: getattr(self, name) + getattr(other, name) for name in TOKENS})

    def __sub__(self, other: "Usage") -> "Usage":
        return Usage(**{name: getattr(self, name) - getattr(other, name) for name in TOKENS})

    def discarding(self, vain: "Usage") -> "Usage":
        """Return the same with those tokens of it marked as discarded that are in `vain`.

        No more is marked than there is, so that neither what is left nor its cached part is less
        than nothing, whatever a server says of its tokens.
        """
        prompt = min(vain.prompt_tokens, self.prompt_tokens)
        least_cached = max(0, self.cached_tokens - (self.prompt_tokens - prompt))
        most_cached = min(self.cached_tokens, prompt)
        return replace(
            self,
            discarded_prompt_tokens=prompt,
            discarded_cached_tokens=max(least_cached, min(vain.cached_tokens, most_cached)),
            discarded_output_tokens=min(vain.output_tokens, self.output_tokens),
        )

    @property
    def priced(self) -> "Usage":
        """Return what has a price: all but what was discarded."""
        return Usage(
            prompt_tokens=self.prompt_tokens - self.discarded_prompt_tokens,
            cached_tokens=self.cached_tokens - self.discarded_cached_tokens,
            output_tokens=self.output_tokens - self.discarded_output_tokens,
        )

    @property
    def total_tokens(self) -> int:
        return self.prompt_tokens + self.output_tokens

    @property
    def work(self) -> int:
        """The cost of the tokens for an engine, in tenths of a prompt token that it computes."""
        return (
            (self.prompt_tokens - self.cached_tokens) * WORK_OF_PROMPT_TOKEN
            + self.cached_tokens * WORK_OF_CACHED_TOKEN
            + self.output_tokens * WORK_OF_OUTPUT_TOKEN
        )

    @property
    def has_no_negative(self) -> bool:
        return all(getattr(self, name) >= 0 for name in TOKENS)


TOKENS = tuple(field.name for field in fields(Usage))
NO_TOKENS = Usage()


def total(usages: Iterable[Usage]) -> Usage:
    """Return what all of them used."""
    usages = list(usages)
    return Usage(**{name: sum(map(attrgetter(name), usages)) for name in TOKENS})


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """The price of one token in an interactive call, in units of the currency.

    That of a token which was used for another batch is the same whatever the call.
    """

    currency: str = "USD"
    input_units: int = 0
    cached_units: int = 0
    output_units: int = 0
    reused_units: int = 0

    def cost(self, usage: Usage, kind: Kind) -> int:
        """Return the cost in units; a batch pays half, but for cached tokens the same."""
        priced = usage.priced
        computed = priced.prompt_tokens - priced.cached_tokens
        assert computed >= 0, "cached tokens are prompt tokens"
        full = computed * self.input_units + priced.output_tokens * self.output_units
        if kind is not Kind.INTERACTIVE:
            assert full % BATCH_SHARE == 0, "a token's price is an even number of units"
            full //= BATCH_SHARE
        kept = usage.reused_tokens * self.reused_units
        return full + priced.cached_tokens * self.cached_units + kept


FREE = Prices()


def units_of_a_token(price: str) -> int:
    """Return a token's price in units, of the price of a million tokens."""
    assert re.fullmatch(PRICE_PATTERN, price), "settings check the form"
    return _hundred_thousandths(price) * UNITS_OF_A_STEP


def units_of(amount: str) -> int:
    """Return an amount of the currency in units."""
    assert re.fullmatch(AMOUNT_PATTERN, amount), "settings check the form"
    return _hundred_thousandths(amount) * UNITS_OF_A_HUNDRED_THOUSANDTH


def _hundred_thousandths(number: str) -> int:
    whole, _, fraction = number.partition(".")
    return int(whole + fraction.ljust(DECIMALS, "0"))


def as_text(units: int) -> str:
    """Return the amount as a decimal number of the currency, exactly."""
    whole, fraction = divmod(units, UNITS)
    digits = f"{fraction:0{len(str(UNITS)) - 1}d}".rstrip("0")
    return f"{whole}.{digits}" if digits else str(whole)
