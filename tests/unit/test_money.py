"""Costs are exact: every sum of them is the cost of the sum."""

from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toplu import money
from toplu.errors import ConfigurationError
from toplu.money import Kind, Prices, Usage
from toplu.settings.load import load
from toplu.settings.server import ModelSettings, PriceSettings, Settings, TierSettings

PRICES = st.decimals(min_value=0, max_value=999_999, places=5).map(str)
TOKENS = st.integers(0, 10**13)
CHEAP = Decimal(1) / 2


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    prompt = draw(TOKENS)
    cached = draw(st.integers(0, prompt))
    return Usage(prompt_tokens=prompt, cached_tokens=cached, output_tokens=draw(TOKENS))


@st.composite
def price_lists(draw: st.DrawFn) -> tuple[Prices, tuple[Decimal, Decimal, Decimal]]:
    texts = draw(st.tuples(PRICES, PRICES, PRICES))
    given_prices = [money.units_of_a_token(text) for text in texts]
    prices = Prices(
        input_units=given_prices[0], cached_units=given_prices[1], output_units=given_prices[2]
    )
    return prices, tuple(Decimal(text) for text in texts)


@given(price_lists(), usages(), st.sampled_from(Kind))
def test_a_cost_is_what_decimal_arithmetic_says(
    listed: tuple[Prices, tuple[Decimal, Decimal, Decimal]], usage: Usage, kind: Kind
) -> None:
    prices, (of_input, of_cached, of_output) = listed
    with localcontext() as context:
        context.prec = 100
        share = CHEAP if kind in (Kind.BATCH, Kind.FLEX) else Decimal(1)
        computed = usage.prompt_tokens - usage.cached_tokens
        expected = (
            (computed * of_input + usage.output_tokens * of_output) * share
            + usage.cached_tokens * of_cached
        ) / 1_000_000
        assert Decimal(money.as_text(prices.cost(usage, kind))) == expected


def test_what_was_used_for_another_batch_costs_what_its_settings_say() -> None:
    prices = Settings(reuse_price="0.5").prices_of(ModelSettings(name="m", engine="echo"))
    usage = Usage(reused_requests=2, reused_tokens=3_000_000)
    assert money.as_text(prices.cost(usage, Kind.BATCH)) == "1.5"
    free = Settings().prices_of(ModelSettings(name="m", engine="echo"))
    assert free.cost(usage, Kind.BATCH) == 0


@given(usages(), usages(), price_lists(), st.sampled_from(Kind))
def test_what_was_discarded_costs_nothing(
    last: Usage,
    vain: Usage,
    listed: tuple[Prices, object],
    kind: Kind,
) -> None:
    prices, _ = listed
    together = (last + vain).discarding(vain)
    assert together.priced == last
    assert prices.cost(together, kind) == prices.cost(last, kind)
    assert (together.prompt_tokens, together.work) == (
        (last + vain).prompt_tokens,
        (last + vain).work,
    )


@given(usages(), usages())
def test_no_more_is_discarded_than_there_is(usage: Usage, vain: Usage) -> None:
    priced = usage.discarding(vain).priced
    assert priced.has_no_negative
    assert priced.cached_tokens <= priced.prompt_tokens


@given(price_lists(), st.lists(usages(), max_size=5), st.sampled_from(Kind))
def test_the_cost_of_a_sum_is_the_sum_of_the_costs(
    listed: tuple[Prices, object], parts: list[Usage], kind: Kind
) -> None:
    prices, _ = listed
    together = prices.cost(sum(parts, start=Usage()), kind)
    assert together == sum(prices.cost(part, kind) for part in parts)


@pytest.mark.parametrize(
    ("units", "text"),
    [(0, "0"), (1, "0.000000000001"), (10**12, "1"), (1_500_000_000_000, "1.5"), (10**11, "0.1")],
)
def test_an_amount_is_written_without_idle_zeros(units: int, text: str) -> None:
    assert money.as_text(units) == text


def test_a_cached_token_costs_what_an_input_token_does_unless_it_has_a_price() -> None:
    settings = Settings()
    plain = ModelSettings(name="m", engine="echo", price=PriceSettings(input="2"))
    assert settings.prices_of(plain).cached_units == settings.prices_of(plain).input_units
    free = ModelSettings(name="m", engine="echo", price=PriceSettings(input="2", cached_input="0"))
    assert settings.prices_of(free).cached_units == 0


def test_an_embedding_model_is_priced_as_such() -> None:
    model = ModelSettings(
        name="m", engine="echo_embedder", price=PriceSettings(input="9", embedding="0.15")
    )
    assert Settings().prices_of(model).input_units == money.units_of_a_token("0.15")


def test_the_default_models_cost_nothing() -> None:
    settings = Settings()
    for model in settings.models:
        prices = settings.prices_of(model)
        assert (prices.currency, prices.cost(USED, Kind.INTERACTIVE)) == ("USD", 0)


USED = Usage(prompt_tokens=10, cached_tokens=4, output_tokens=3)


@pytest.mark.parametrize("price", ["-1", "1e3", "0.000001", "", "1.", "1234567", "٣", "1\n"])
def test_a_price_that_could_not_be_exact_is_refused(price: str) -> None:
    table = [{"name": "m", "engine": "echo", "price": {"input": price}}]
    with pytest.raises(ConfigurationError):
        load(environment={}, overrides={"models": table})


@pytest.mark.parametrize(
    "tiers",
    [
        [],
        [{"name": "a"}, {"name": "a"}],
        [{"name": "a", "enqueued_tokens_of": {"no-such-model": 5}}],
        [{"name": "a", "requests_per_minute": 0}],
    ],
)
def test_tiers_that_contradict_themselves_are_refused(tiers: list[dict[str, object]]) -> None:
    with pytest.raises(ConfigurationError, match="tiers"):
        load(environment={}, overrides={"tiers": tiers})


def test_a_tier_may_bound_one_model_otherwise() -> None:
    tier = TierSettings(name="a", enqueued_tokens=10, enqueued_tokens_of={"echo": 5})
    assert (tier.enqueued_tokens_for("echo"), tier.enqueued_tokens_for("other")) == (5, 10)
