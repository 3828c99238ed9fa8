"""The price of a call and of a line is the same at both APIs; a batch costs half."""

import contextlib

from msgspec.structs import replace

from support.api.batch_calls import asking, create_inline
from support.api.batch_calls import finish as finish_gemini
from support.api.local_server import ECHO, EMBEDDER, LocalServer, OpenServer, http_of
from support.api.openai_batches import chat_line, create, finish
from support.api.openai_calls import CHAT_MODEL, EMBEDDING_MODEL, openai_client, user
from toplu.settings.server import PriceSettings

PRICED = replace(ECHO, price=PriceSettings(input="1", output="2"))
TEXT = "one two three"


def spent(server: LocalServer) -> dict[tuple[str, str], tuple[int, int, int]]:
    """Return requests, tokens and cost of the ledger, by model and kind."""
    totals = server.call(server.server.ledger.totals())
    return {
        (each.model, str(each.kind)): (each.requests, each.usage.total_tokens, each.cost_units)
        for each in totals
    }


def test_calls_streams_vectors_and_lines_are_charged_alike(open_test_server: OpenServer) -> None:
    server = open_test_server(models=(PRICED, EMBEDDER))
    with http_of(server) as http:
        call = f"/v1beta/models/{CHAT_MODEL}"
        assert http.post(f"{call}:generateContent", json=asking(TEXT)).status_code == 200
        http.post(f"{call}:streamGenerateContent?alt=sse", json=asking(TEXT))
        vectors = {"requests": [{"content": {"parts": [{"text": each}]}} for each in ("a", "b")]}
        http.post(f"/v1beta/models/{EMBEDDING_MODEL}:batchEmbedContents", json=vectors)
        finish_gemini(http, create_inline(http, [{"request": asking(TEXT)}])["name"])
    by_gemini = spent(server)
    with contextlib.closing(openai_client(server)) as sdk:
        sdk.chat.completions.create(model=CHAT_MODEL, messages=user(TEXT))
        list(sdk.chat.completions.create(model=CHAT_MODEL, messages=user(TEXT), stream=True))
        sdk.embeddings.create(model=EMBEDDING_MODEL, input=["a", "b"])
        done = finish(sdk, create(sdk, [chat_line("c", TEXT)]))
    assert done.toplu["cost"]["amount"] == "0.0000045"
    assert len(by_gemini) == 3
    both = {kind: tuple(2 * amount for amount in sums) for kind, sums in by_gemini.items()}
    assert spent(server) == both
