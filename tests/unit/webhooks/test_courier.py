"""Real receivers are told, whatever they do: each event once at least, under one id."""

import json
import socket
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from standardwebhooks import Webhook as Verifier

from support.store.rows import PROJECT, end_others
from support.webhooks.receiver import HANG, Received, Receiver, Said
from support.webhooks.webhook_world import WebhookWorld
from toplu.clock import SystemClock
from toplu.store.rows.deliveries import HOLD, DeliveryState, Outcome
from toplu.store.rows.webhooks import WebhookState
from toplu.webhooks.courier import AT_ONCE, BUSY, IDLE

DAY = timedelta(hours=24)


def verified(secret: str, received: Received) -> dict[str, object]:
    """Return the event; its signature is checked whatever the time is."""
    verifier = Verifier(secret)
    signature = received.headers["webhook-signature"]
    at = int(received.headers["webhook-timestamp"])
    expected = verifier.sign(
        received.headers["webhook-id"], datetime.fromtimestamp(at, UTC), received.body.decode()
    )
    assert expected in signature.split(" ")
    return json.loads(received.body)


async def test_the_end_of_a_batch_is_told_with_a_signature(world: WebhookWorld) -> None:
    world.clock = SystemClock()
    with Receiver() as receiver:
        webhook, secret = await world.webhook(receiver.uri)
        await world.end_job()
        assert await world.courier().step() == AT_ONCE
        (received,) = receiver.received
        event = Verifier(secret).verify(received.body, received.headers)
    assert (event["type"], event["data"]) == ("batch.cancelled", {"id": "batches/one"})
    assert received.headers["content-type"] == "application/json"
    delivery = await world.the_delivery()
    assert received.headers["webhook-id"] == delivery.id
    assert (delivery.state, delivery.status, delivery.webhook) == (
        DeliveryState.DELIVERED,
        200,
        webhook.id,
    )
    assert await world.courier().step() == IDLE


async def test_a_try_that_failed_is_made_again_with_the_same_id_signed_anew(
    world: WebhookWorld,
) -> None:
    with Receiver(500, 200) as receiver:
        _, secret = await world.webhook(receiver.uri)
        await world.end_job()
        await world.courier().step()
        delivery = await world.the_delivery()
        assert (delivery.state, delivery.status) == (DeliveryState.WAITING, 500)
        assert delivery.reason == "the receiver answered 500"
        assert BUSY <= await world.courier().step() <= IDLE
        world.clock.advance(delivery.due - world.clock.now())
        await world.courier().step()
        first, second = receiver.received
    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.headers["webhook-timestamp"] < second.headers["webhook-timestamp"]
    assert first.headers["webhook-signature"] != second.headers["webhook-signature"]
    assert verified(secret, first) == verified(secret, second)
    settled = await world.the_delivery()
    assert (settled.state, settled.attempts, settled.reason) == (DeliveryState.DELIVERED, 2, None)


async def test_after_a_day_it_is_given_up(world: WebhookWorld) -> None:
    with Receiver(503) as receiver:
        await world.webhook(receiver.uri)
        await world.end_job()
        begun = world.clock.now()
        while (delivery := await world.the_delivery()).state is DeliveryState.WAITING:
            world.clock.advance(delivery.due - world.clock.now())
            await world.courier().step()
        tries = len(receiver.received)
    assert delivery.state is DeliveryState.FAILED
    assert DAY - timedelta(hours=3) < world.clock.now() - begun <= DAY
    assert 15 < tries == delivery.attempts < 30


async def test_a_receiver_that_hangs_is_left_after_a_while(world: WebhookWorld) -> None:
    await world.close()
    world = await WebhookWorld.open(world.folder, try_seconds_max=0.2)
    with Receiver(HANG) as receiver:
        await world.webhook(receiver.uri)
        await world.end_job()
        await world.courier().step()
        assert len(receiver.received) == 1
    delivery = await world.the_delivery()
    assert (delivery.status, delivery.reason) == (None, "no answer within 0.2 seconds")
    await world.close()


async def test_a_redirect_is_not_followed(world: WebhookWorld) -> None:
    with Receiver() as other, Receiver(Said(307, (("Location", other.uri),))) as receiver:
        await world.webhook(receiver.uri)
        await world.end_job()
        await world.courier().step()
        assert other.received == []
    delivery = await world.the_delivery()
    assert delivery.reason == "the receiver answered 307, and redirects are not followed"


async def test_a_long_answer_is_not_read_to_its_end(world: WebhookWorld) -> None:
    with Receiver(Said(200, body=b"x" * 50_000_000)) as receiver:
        await world.webhook(receiver.uri)
        await world.end_job()
        await world.courier().step()
    assert (await world.the_delivery()).state is DeliveryState.DELIVERED


async def test_nobody_there_is_a_failure_like_another(world: WebhookWorld) -> None:
    with Receiver() as receiver:
        uri = receiver.uri
    await world.webhook(uri)
    await world.end_job()
    await world.courier().step()
    delivery = await world.the_delivery()
    assert (delivery.state, delivery.status) == (DeliveryState.WAITING, None)
    assert "Cannot connect" in (delivery.reason or "")


async def test_a_name_that_changes_its_address_reaches_nothing_but_what_is_allowed(
    world: WebhookWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.close()
    world = await WebhookWorld.open(world.folder, allowed_networks=("127.0.0.2/32",))
    answers = ["127.0.0.2", "127.0.0.1"]
    looked_up = []

    def look_up(host: str, port: int, *_: object) -> list[tuple[object, ...]]:
        looked_up.append(host)
        place = (answers.pop(0), port)
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", place)]

    with (
        Receiver(500, host="127.0.0.2") as receiver,
        Receiver(port=receiver.port) as inside,
    ):
        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        await world.webhook(f"http://rebound.example:{receiver.port}/hook")
        await world.end_job()
        await world.courier().step()
        delivery = await world.the_delivery()
        assert (delivery.status, len(receiver.received)) == (500, 1)
        world.clock.advance(delivery.due - world.clock.now())
        await world.courier().step()
        assert inside.received == []
    assert looked_up == ["rebound.example"] * 2, "once for each try"
    assert (await world.the_delivery()).reason == "its address is not a public one"
    await world.close()


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"allowed_networks": ()}, "127.0.0.1 is not a public address"),
        ({"plain_http": False}, "an address begins with https://"),
    ],
)
async def test_an_address_that_is_allowed_no_more_is_not_told(
    world: WebhookWorld, settings: dict[str, Any], reason: str
) -> None:
    with Receiver() as receiver:
        await world.webhook(receiver.uri)
        await world.end_job()
        await world.close()
        world = await WebhookWorld.open(world.folder, **settings)
        await world.courier().step()
        assert receiver.received == []
    assert reason in ((await world.the_delivery()).reason or "")
    await world.close()


async def test_three_days_of_nothing_but_failures_disable_the_webhook(world: WebhookWorld) -> None:
    with Receiver(500) as receiver:
        webhook, _ = await world.webhook(receiver.uri)
        for day in range(4):
            await world.end_job(f"job-{day}")
            await world.courier().step()
            found = await world.library().get(PROJECT, webhook.id)
            expected = WebhookState.ENABLED if day < 3 else "disabled_due_to_failed_deliveries"
            assert found.state == expected, day
            world.clock.advance(DAY)
        await world.end_job("afterwards")
    deliveries = await world.the_deliveries()
    assert len(deliveries) == 4, "a webhook that is disabled is told of nothing"
    assert {delivery.state for delivery in deliveries} == {DeliveryState.FAILED}
    assert deliveries[-1].reason == "the webhook is disabled"


async def test_one_success_begins_the_three_days_anew(world: WebhookWorld) -> None:
    with Receiver(500, 500, 500, 200, 500, 500, 500, 200) as receiver:
        webhook, _ = await world.webhook(receiver.uri)
        for day in range(7):
            await world.library().ping(await world.library().get(PROJECT, webhook.id))
            await world.courier().step()
            world.clock.advance(DAY)
            assert len(receiver.received) == day + 1
        found = await world.library().get(PROJECT, webhook.id)
    assert found.state is WebhookState.ENABLED


async def test_what_a_dead_worker_held_is_sent_by_another_at_once(world: WebhookWorld) -> None:
    with Receiver() as receiver:
        await world.webhook(receiver.uri)
        await world.end_job()
        held = await world.deliveries.take("dead", world.clock.now())
        assert held is not None
        await world.courier("other").step()
        assert receiver.received == []
        await end_others(world.jobs, "other")
        await world.courier("other").step()
        assert len(receiver.received) == 1


async def test_a_hold_lapses_and_who_comes_late_changes_nothing(world: WebhookWorld) -> None:
    with Receiver() as receiver:
        await world.webhook(receiver.uri)
        await world.end_job()
        late = await world.deliveries.take("late", world.clock.now())
        assert late is not None
        world.clock.advance(HOLD)
        await world.courier("other").step()
        outcome = Outcome(reason="too late", again=world.clock.now())
        assert not await world.deliveries.settle(late, outcome, world.clock.now())
    assert (await world.the_delivery()).state is DeliveryState.DELIVERED


async def test_a_secret_that_cannot_be_opened_says_so_in_the_list(world: WebhookWorld) -> None:
    with Receiver() as receiver:
        await world.webhook(receiver.uri)
        await world.end_job()
        (world.folder / "webhooks.key").unlink()
        await world.courier().step()
        assert receiver.received == []
    assert "webhooks.key does not have" in ((await world.the_delivery()).reason or "")


async def test_a_key_that_everybody_can_read_is_not_used_and_says_so(world: WebhookWorld) -> None:
    with Receiver() as receiver:
        await world.webhook(receiver.uri)
        await world.end_job()
        (world.folder / "webhooks.key").chmod(0o644)
        await world.courier().step()
        assert receiver.received == []
    assert "chmod 600" in ((await world.the_delivery()).reason or "")


async def test_both_secrets_sign_for_a_day_after_a_rotation(world: WebhookWorld) -> None:
    with Receiver() as receiver:
        webhook, old = await world.webhook(receiver.uri)
        new = await world.library().rotate(webhook)
        await world.end_job("one")
        await world.courier().step()
        world.clock.advance(DAY)
        await world.end_job("two")
        await world.courier().step()
        both, one = receiver.received
    verified(old, both)
    verified(new, both)
    verified(new, one)
    assert len(one.headers["webhook-signature"].split(" ")) == 1
