"""`serviceTier` and `service_tier`: what a call waits for, and what it costs."""

import json
import socket
from contextlib import ExitStack, closing
from typing import Any
from urllib.parse import urlsplit

import openai
import pytest
from google.genai import types
from msgspec.structs import replace

from support.api.batch_calls import asking
from support.api.local_server import ECHO, SLOW, LocalServer, OpenServer, client_of, http_of
from support.api.openai_calls import openai_client
from support.waiting import PATIENCE_SECONDS, eventually
from toplu.settings.model import PriceSettings

FLASH = "/v1beta/models/gemini-2.5-flash"
PAID = replace(ECHO, price=PriceSettings(input="2", output="4"))


def charged(server: LocalServer) -> dict[str, int]:
    """Return what was charged, by the kind of call, in millionths of the currency."""
    totals = server.call(server.server.ledger.totals())
    return {str(total.kind): total.cost_units // 10**6 for total in totals}


def test_a_flex_call_costs_what_a_batch_does(open_test_server: OpenServer) -> None:
    server = open_test_server(models=(PAID,))
    with closing(client_of(server)) as client, http_of(server) as http:
        for tier in (None, "standard", "priority", "flex"):
            answer = client.models.generate_content(
                model="gemini-2.5-flash",
                contents="one two",
                config=types.GenerateContentConfig(service_tier=tier),
            )
            assert answer.text == "one two"
            assert answer.sdk_http_response is not None
            headers = answer.sdk_http_response.headers or {}
            assert headers["x-gemini-service-tier"] == (tier or "standard")
        assert charged(server) == {"interactive": 3 * 12, "flex": 6}
        body = asking("three") | {"serviceTier": "FLEX"}
        chunks = http.post(f"{FLASH}:streamGenerateContent", json=body)
        assert "three" in chunks.text
        assert charged(server)["flex"] == 6 + 3


def test_openai_has_the_tiers_by_its_own_names(open_test_server: OpenServer) -> None:
    server = open_test_server(models=(PAID,))
    with openai_client(server) as sdk:

        def ask(tier: str, **more: Any) -> Any:
            messages = [{"role": "user", "content": "one two"}]
            return sdk.chat.completions.create(
                model="gemini-2.5-flash", messages=messages, service_tier=tier, **more
            )

        tiers = {"auto": "default", "default": "default", "scale": "default", "flex": "flex"}
        for tier, answered in (tiers | {"priority": "priority"}).items():
            assert ask(tier).service_tier == answered
        assert {chunk.service_tier for chunk in ask("flex", stream=True)} == {"flex"}
        response = sdk.responses.create(
            model="gemini-2.5-flash", input="one two", service_tier="flex"
        )
        assert (response.service_tier, response.output_text) == ("flex", "one two")
        assert charged(server) == {"interactive": 4 * 12, "flex": 3 * 6}
        with pytest.raises(openai.BadRequestError, match="service_tier"):
            ask("gold")


def test_a_flex_call_that_finds_no_place_in_time_is_told_when_to_come_again(
    open_test_server: OpenServer,
) -> None:
    server = open_test_server(models=(SLOW,), flex_wait_seconds_max=0.05)
    flex = asking("x") | {"serviceTier": "FLEX"}
    slots = server.server.fleet.pool("slow")._slots
    with ExitStack() as stack, http_of(server) as http:
        # One runs on the lane, and one of a batch's kind has the place behind it.
        for taken, body in enumerate((asking("x"), flex)):
            leave_call(server, stack, body)
            eventually(lambda taken=taken: slots.taken == taken + 1)
        reply = http.post(f"{FLASH}:generateContent", json=flex)
        assert reply.status_code == 503
        assert reply.json()["error"]["status"] == "UNAVAILABLE"
        assert reply.headers["retry-after"] == "10"


def leave_call(server: LocalServer, stack: ExitStack, body: dict[str, Any]) -> None:
    """Send a call and leave it at that."""
    address = urlsplit(server.url)
    connection = socket.create_connection((address.hostname, address.port), PATIENCE_SECONDS)
    stack.enter_context(connection)
    content = json.dumps(body)
    head = f"POST {FLASH}:generateContent HTTP/1.1\r\nHost: localhost\r\nx-goog-api-key: any\r\n"
    connection.sendall(f"{head}Content-Length: {len(content)}\r\n\r\n{content}".encode())
