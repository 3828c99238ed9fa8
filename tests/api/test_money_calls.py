"""Money: the ledger balances with what clients read in usage metadata, to the token."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2 as httpx
import msgspec
import pytest
from google import genai

from support.api.batch_calls import (
    asking,
    create_from_file,
    create_inline,
    finish,
    result_lines,
    upload_lines,
)
from support.api.local_server import ECHO, LocalServer, OpenServer, client_of, http_of
from toplu import money
from toplu.money import TOKENS, Kind, Usage
from toplu.projects.ledger import Total
from toplu.settings.server import EchoSettings, ModelSettings, PriceSettings, Settings

PRICED = ModelSettings(
    name="echo",
    aliases=ECHO.aliases,
    engine="echo",
    echo=ECHO.echo,
    price=PriceSettings(input="0.3", output="2.5", cached_input="0.03"),
)
EMBEDDER = ModelSettings(
    name="echo-embedder",
    aliases=("gemini-embedding-001",),
    engine="echo_embedder",
    price=PriceSettings(embedding="0.15"),
)
FLASH = "/v1beta/models/gemini-2.5-flash"
EMBEDDING = "/v1beta/models/gemini-embedding-001"


@pytest.fixture
def server(open_test_server: OpenServer) -> LocalServer:
    return open_test_server(models=(PRICED, EMBEDDER), currency="EUR")


def totals_of(server: LocalServer) -> list[Total]:
    return server.call(server.server.ledger.totals())


def used_by(results: list[dict[str, Any]]) -> Usage:
    """Return what the usage metadata of results adds up to."""
    sums: Counter[str] = Counter()
    for result in results:
        sums.update(
            {
                name: count
                for name, count in result.get("response", {}).get("usageMetadata", {}).items()
                if name.endswith("TokenCount")
            }
        )
    return Usage(
        prompt_tokens=sums["promptTokenCount"],
        cached_tokens=sums["cachedContentTokenCount"],
        output_tokens=sums["candidatesTokenCount"],
    )


def test_a_batch_with_failures_balances_with_its_results(
    server: LocalServer, http: httpx.Client
) -> None:
    texts = [
        "one",
        "one two three",
        "please fail",
        "a b",
        "please crash",
        "six words are in this text",
    ]
    lines: list[dict[str, Any]] = [{"key": text, "request": asking(text)} for text in texts]
    lines.append({"key": "bad", "request": {"colour": 1}})
    lines.append(
        {"key": "two", "request": asking("x y") | {"generationConfig": {"candidateCount": 2}}}
    )
    name = upload_lines(http, [json.dumps(line).encode() for line in lines])
    done = finish(http, create_from_file(http, name).json()["name"])
    results = result_lines(http, done)
    assert sum("error" in result for result in results) == 3
    used = used_by(results)
    assert used.prompt_tokens > 0
    (total,) = totals_of(server)
    assert (total.usage, total.requests, total.kind) == (used, len(lines), Kind.BATCH)
    half = used.prompt_tokens * 300_000 + used.output_tokens * 2_500_000
    assert total.cost_units == half // 2
    assert done["metadata"]["toplu"] == {
        "usage": {
            "promptTokenCount": str(used.prompt_tokens),
            "cachedContentTokenCount": "0",
            "outputTokenCount": str(used.output_tokens),
        },
        "cost": {"currency": "EUR", "amount": money.as_text(total.cost_units)},
    }


def test_interactive_calls_balance_and_cost_twice_what_a_batch_does(
    server: LocalServer, http: httpx.Client
) -> None:
    replies = [http.post(f"{FLASH}:generateContent", json=asking(text)).json() for text in "abc"]
    assert http.post(f"{FLASH}:generateContent", json=asking("please fail")).status_code == 500
    finish(http, create_inline(http, [{"request": asking(text)} for text in "abc"])["name"])
    batch, interactive = totals_of(server)
    assert (batch.kind, interactive.kind) == (Kind.BATCH, Kind.INTERACTIVE)
    assert interactive.requests == 3  # one that fails uses nothing
    assert interactive.usage == batch.usage == used_by([{"response": reply} for reply in replies])
    assert interactive.cost_units == 2 * batch.cost_units > 0


def test_a_further_attempt_counts_and_costs_nothing(
    server: LocalServer, http: httpx.Client
) -> None:
    words, attempts = 3, 3
    # What the echo engine never writes, and no grammar asks for.
    schema = {"type": "array", "contains": {"const": "a word that is not guessed"}}
    form = {"responseMimeType": "application/json", "responseJsonSchema": schema}
    request = asking("a b c") | {"generationConfig": form}
    reply = http.post(f"{FLASH}:generateContent", json=request).json()
    assert reply["candidates"][0]["finishReason"] == "OTHER"
    created = create_inline(http, [{"request": request, "metadata": {"key": "1"}}])
    done = finish(http, created["name"])
    used = used_by([{"response": reply}])
    correction = (used.prompt_tokens - attempts * words) // (attempts - 1)
    assert correction > 0
    last = Usage(prompt_tokens=words + correction, output_tokens=used.output_tokens // attempts)
    batch, interactive = totals_of(server)
    assert batch.usage == interactive.usage
    assert replace(batch.usage, **dict.fromkeys(TOKENS[3:], 0)) == used
    assert batch.usage.priced == last
    full = last.prompt_tokens * 300_000 + last.output_tokens * 2_500_000
    assert interactive.cost_units == 2 * batch.cost_units == full
    assert done["metadata"]["toplu"]["cost"]["amount"] == money.as_text(full // 2)
    assert done["metadata"]["toplu"]["usage"]["promptTokenCount"] == str(used.prompt_tokens)
    receipt = http.get(f"/v1beta/{created['name']}:receipt").json()
    assert receipt["balances"] is True


def test_embeddings_balance_in_every_form(server: LocalServer, http: httpx.Client) -> None:
    one = {"content": {"parts": [{"text": "a b c"}]}}
    single = http.post(f"{EMBEDDING}:embedContent", json=one)
    assert single.status_code == 200, single.text
    several = http.post(
        f"{EMBEDDING}:batchEmbedContents",
        json={"requests": [one | {"model": "models/gemini-embedding-001"}] * 4},
    )
    assert several.status_code == 200, several.text
    # Each of its own: of those that ask the same, one is computed for all.
    different = [{"request": {"content": {"parts": [{"text": f"a b {n}"}]}}} for n in range(5)]
    batch = {"inputConfig": {"requests": {"requests": different}}}
    created = http.post(f"{EMBEDDING}:asyncBatchEmbedContent", json={"batch": batch})
    assert created.status_code == 200, created.text
    finish(http, created.json()["name"])
    batched, interactive = totals_of(server)
    assert (interactive.requests, interactive.usage) == (5, Usage(prompt_tokens=15))
    assert (batched.requests, batched.usage) == (5, Usage(prompt_tokens=15))
    assert interactive.cost_units == 2 * batched.cost_units == 15 * 150_000


def test_counting_tokens_costs_nothing(server: LocalServer, http: httpx.Client) -> None:
    assert http.post(f"{FLASH}:countTokens", json=asking("a b")).status_code == 200
    assert totals_of(server) == []


def test_the_sdk_passes_over_the_cost(server: LocalServer, http: httpx.Client) -> None:
    name = create_inline(http, [{"request": asking("a")}])["name"]
    finish(http, name)
    client: genai.Client = client_of(server)
    job = client.batches.get(name=name)
    assert job.dest is not None
    (response,) = job.dest.inlined_responses or []
    assert response.response is not None
    assert response.response.text == "a"
    assert [listed.name for listed in client.batches.list()] == [name]


def test_a_batch_keeps_the_price_of_its_creation(tmp_path: Path) -> None:
    def running(price: PriceSettings, delay_seconds: float = 0.0) -> LocalServer:
        echo = EchoSettings(delay_seconds=delay_seconds)
        model = msgspec.structs.replace(PRICED, price=price, echo=echo)
        values = {"data_dir": tmp_path / "data", "drain_seconds": 0.1}
        return LocalServer(Settings(models=(model,), **values))

    with running(PRICED.price, delay_seconds=3600) as server, http_of(server) as http:
        old = create_inline(http, [{"request": asking("a")}])["name"]
    with running(PriceSettings(input="30", output="250")) as server, http_of(server) as http:
        agreed = finish(http, old)["metadata"]["toplu"]["cost"]
        assert agreed == {"currency": "USD", "amount": "0.0000014"}
        young = create_inline(http, [{"request": asking("a")}])["name"]
        assert finish(http, young)["metadata"]["toplu"]["cost"]["amount"] == "0.00014"
