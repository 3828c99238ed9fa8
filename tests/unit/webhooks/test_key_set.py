"""Addresses that a batch named verify what they are told by the server's own key set."""

import hashlib
import json
from typing import Any

import jwt
import pytest

from support.webhooks.receiver import Receiver
from support.webhooks.webhook_world import WebhookWorld
from toplu.clock import SystemClock


def config(*uris: str, **more: Any) -> bytes:
    return json.dumps({"uris": uris} | more).encode()


async def claims_of(world: WebhookWorld, token: str, audience: str) -> dict[str, Any]:
    keys = jwt.PyJWKSet.from_dict({"keys": await world.key_set().public()})
    key = keys[jwt.get_unverified_header(token)["kid"]]
    return jwt.decode(token, key, algorithms=["RS256"], audience=audience, issuer="toplu")


async def test_each_address_of_a_batch_gets_a_token_for_itself_and_the_body(
    world: WebhookWorld,
) -> None:
    world.clock = SystemClock()
    with Receiver() as one, Receiver() as other, Receiver() as registered:
        await world.webhook(registered.uri)
        await world.end_job(webhook_config=config(one.uri, other.uri, userMetadata={"run": "7"}))
        for _ in range(2):
            await world.courier().step()
        assert registered.received == [], "they stand in place of the webhooks"
        for receiver in (one, other):
            (received,) = receiver.received
            token = received.headers["webhook-signature"]
            claims = await claims_of(world, token, receiver.uri)
            assert claims["payload_sha256"] == hashlib.sha256(received.body).hexdigest()
            assert claims["jti"] == received.headers["webhook-id"]
            with pytest.raises(jwt.InvalidAudienceError):
                await claims_of(world, token, "https://elsewhere.example/")
            event = json.loads(received.body)
            assert event["user_metadata"] == {"run": "7"}
            assert event["type"] == "batch.cancelled"


async def test_all_processes_have_one_key(world: WebhookWorld) -> None:
    first = await world.key_set().public()
    assert first == await world.key_set().public()
    (key,) = first
    assert (key["kty"], key["alg"], key["use"]) == ("RSA", "RS256", "sig")
    assert "d" not in key, "the private half stays here"


async def test_a_key_that_cannot_be_opened_gets_a_successor(world: WebhookWorld) -> None:
    (lost,) = await world.key_set().public()
    (world.folder / "webhooks.key").unlink()
    now = SystemClock().now()
    token = await world.key_set().sign("msg_1", "https://example.com/", b"{}", now)
    assert jwt.get_unverified_header(token)["kid"] != lost["kid"]
    assert len(await world.key_set().public()) == 2
    await claims_of(world, token, "https://example.com/")
