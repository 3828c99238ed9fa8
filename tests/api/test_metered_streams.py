"""Streams are metered like every other interactive call: what was sent is what it costs."""

import httpx2 as httpx
import pytest

from support.api.batch_calls import asking
from support.api.local_server import ECHO, LocalServer, OpenServer, http_of
from support.waiting import eventually
from toplu.money import Kind
from toplu.settings.server import ModelSettings, PriceSettings, TierSettings

PRICED = ModelSettings(
    name="echo",
    aliases=ECHO.aliases,
    engine="echo",
    echo=ECHO.echo,
    price=PriceSettings(input="0.3", output="2.5"),
)
STREAM = "/v1beta/models/gemini-2.5-flash:streamGenerateContent"


@pytest.fixture
def server(open_test_server: OpenServer) -> LocalServer:
    return open_test_server(models=(PRICED,))


def test_a_stream_costs_what_its_last_chunk_says(server: LocalServer, http: httpx.Client) -> None:
    chunks = http.post(STREAM, json=asking("four words are here")).json()
    usage = chunks[-1]["usageMetadata"]
    assert (usage["promptTokenCount"], usage["candidatesTokenCount"]) == (4, 4)
    (total,) = eventually(lambda: server.call(server.server.ledger.totals()) or None)
    assert (total.kind, total.requests) == (Kind.INTERACTIVE, 1)
    assert (total.usage.prompt_tokens, total.usage.output_tokens) == (4, 4)
    assert total.cost_units == 4 * 300_000 + 4 * 2_500_000


def test_a_stream_that_fails_before_its_first_chunk_costs_nothing(
    server: LocalServer, http: httpx.Client
) -> None:
    assert http.post(STREAM, json=asking("please fail")).status_code == 500
    assert server.call(server.server.ledger.totals()) == []


def test_streams_count_towards_the_requests_of_a_minute(open_test_server: OpenServer) -> None:
    tier = TierSettings(name="default", requests_per_minute=1)
    with http_of(open_test_server(models=(PRICED,), tiers=(tier,))) as http:
        assert http.post(STREAM, json=asking("one")).status_code == 200
        refused = http.post(STREAM, json=asking("two"))
        assert refused.status_code == 429
        assert refused.json()[0]["error"]["status"] == "RESOURCE_EXHAUSTED"
        assert int(refused.headers["retry-after"]) > 0
