"""Webhooks as their project sees them."""

from datetime import timedelta

import pytest

from support.store.rows import PROJECT
from support.webhooks.receiver import Receiver
from support.webhooks.webhook_world import WebhookWorld
from toplu.deed import Action
from toplu.errors import FailedPrecondition, InvalidArgument, NotFound, ResourceExhausted
from toplu.job import ProjectId, Wire
from toplu.store.rows.audit import AuditRows
from toplu.store.rows.deliveries import DeliveryState
from toplu.store.rows.webhooks import WebhookState

URI = "https://example.com/hook"


async def test_a_secret_is_kept_sealed_and_shown_once(world: WebhookWorld) -> None:
    webhook, secret = await world.webhook(URI, name="mine")
    (kept,) = await world.library().secrets_of(webhook)
    assert secret.encode() not in kept.secret
    assert secret.rstrip("=").endswith(kept.hint)
    assert await world.library().get(PROJECT, webhook.id) == webhook
    assert (webhook.name, webhook.state) == ("mine", WebhookState.ENABLED)
    assert secret.encode() not in (world.folder / "toplu.db").read_bytes()
    assert secret.encode() not in (world.folder / "toplu.db-wal").read_bytes()


async def test_the_same_call_within_a_moment_has_the_same_answer(world: WebhookWorld) -> None:
    first = await world.webhook(URI)
    assert await world.webhook(URI) == first
    assert (await world.webhook(URI, name="another"))[0].id != first[0].id
    world.clock.advance(timedelta(minutes=2))
    assert (await world.webhook(URI))[0].id != first[0].id


async def test_what_was_changed_since_is_not_the_same(world: WebhookWorld) -> None:
    webhook, secret = await world.webhook(URI)
    world.clock.advance(timedelta(seconds=1))
    await world.library().rotate(webhook)
    again, another = await world.webhook(URI)
    assert again.id != webhook.id
    assert another != secret


async def test_a_project_sees_its_own_webhooks_alone(world: WebhookWorld) -> None:
    webhook, _ = await world.webhook(URI)
    delivery = await world.library().ping(webhook)
    other = ProjectId("team-b")
    for find in (
        world.library().get(other, webhook.id),
        world.library().delivery(other, delivery.id),
        world.library().get(PROJECT, webhook.id, wire=Wire.OPENAI),
    ):
        with pytest.raises(NotFound):
            await find
    assert await world.library().page(other, size=10, token=None) == ([], None)
    assert await world.library().deliveries(other, size=10, token=None) == ([], None)


async def test_pages_of_webhooks_and_deliveries(world: WebhookWorld) -> None:
    made = [(await world.webhook(URI, name=str(number)))[0] for number in range(5)]
    library = world.library()
    page, token = await library.page(PROJECT, size=3, token=None)
    rest, end = await library.page(PROJECT, size=3, token=token)
    assert {webhook.id for webhook in page + rest} == {webhook.id for webhook in made}
    assert (len(rest), end) == (2, None)
    for _ in range(3):
        await library.ping(made[0])
    deliveries, token = await library.deliveries(PROJECT, size=2, token=None, webhook=made[0])
    assert len(deliveries) == 2
    assert len((await library.deliveries(PROJECT, size=2, token=token))[0]) == 1
    assert await library.deliveries(PROJECT, size=2, token=None, webhook=made[1]) == ([], None)


async def test_a_project_has_so_many_webhooks(world: WebhookWorld) -> None:
    for number in range(20):
        await world.webhook(URI, name=str(number))
    with pytest.raises(ResourceExhausted, match="the project has 20 webhooks"):
        await world.webhook(URI, name="one too many")


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"uri": "https://10.0.0.1/"}, "uri: 10.0.0.1 is not a public address"),
        ({"events": ()}, "there must be one at least"),
        ({"events": ("batch.completed",)}, "batch.completed never happens here"),
        ({"name": "x" * 513}, "name: is longer than 512"),
    ],
)
async def test_values_that_will_not_do_are_refused(
    world: WebhookWorld, values: dict[str, object], reason: str
) -> None:
    with pytest.raises(InvalidArgument, match=reason):
        await world.webhook(**{"uri": URI} | values)
    webhook, _ = await world.webhook(URI)
    with pytest.raises(InvalidArgument, match=reason):
        await world.library().update(webhook, values)


async def test_a_change_of_the_address_is_for_what_waits_as_well(world: WebhookWorld) -> None:
    with Receiver() as receiver:
        webhook, _ = await world.webhook("http://127.0.0.1:1/gone")
        await world.end_job()
        await world.library().update(webhook, {"uri": receiver.uri, "events": ("batch.failed",)})
        await world.courier().step()
        assert len(receiver.received) == 1
        await world.end_job("two")
    assert len(await world.the_deliveries()) == 1, "it is not told of this any more"


async def test_a_disabled_webhook_is_told_of_nothing_until_it_is_enabled(
    world: WebhookWorld,
) -> None:
    webhook, _ = await world.webhook(URI)
    await world.end_job("one")
    webhook = await world.library().update(webhook, {"state": WebhookState.DISABLED})
    await world.end_job("two")
    (delivery,) = await world.the_deliveries()
    assert (delivery.state, delivery.reason) == (DeliveryState.FAILED, "the webhook is disabled")
    with pytest.raises(FailedPrecondition, match="enable it first"):
        await world.library().resend(delivery)
    await world.library().update(webhook, {"state": WebhookState.ENABLED})
    assert (await world.library().resend(delivery)).state is DeliveryState.WAITING


async def test_a_delivery_is_sent_again_under_the_same_id(world: WebhookWorld) -> None:
    with Receiver() as receiver:
        await world.webhook(receiver.uri)
        await world.end_job()
        await world.courier().step()
        told = world.told
        again = await world.library().resend(await world.the_delivery())
        assert (again.state, world.told) == (DeliveryState.WAITING, told + 1)
        await world.courier().step()
        first, second = receiver.received
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body
    assert (await world.the_delivery()).state is DeliveryState.DELIVERED


async def test_a_ping_is_tried_once(world: WebhookWorld) -> None:
    with Receiver(500) as receiver:
        webhook, _ = await world.webhook(receiver.uri)
        delivery = await world.library().ping(webhook)
        assert delivery.event == "ping"
        await world.courier().step()
        assert len(receiver.received) == 1
    assert (await world.the_delivery()).state is DeliveryState.FAILED


async def test_what_is_deleted_leaves_nothing(world: WebhookWorld) -> None:
    webhook, _ = await world.webhook(URI)
    await world.library().ping(webhook)
    await world.library().delete(webhook)
    with pytest.raises(NotFound):
        await world.library().delete(webhook)
    assert await world.the_deliveries() == []
    assert await world.library().secrets_of(webhook) == []


async def test_a_new_secret_may_end_those_before_it_at_once(world: WebhookWorld) -> None:
    webhook, _ = await world.webhook(URI)
    world.clock.advance(timedelta(seconds=1))
    await world.library().rotate(webhook, keeps_others=False)
    assert len(await world.library().secrets_of(webhook)) == 1
    for _ in range(20):
        world.clock.advance(timedelta(seconds=1))
        await world.library().rotate(webhook)
    assert len(await world.library().secrets_of(webhook)) == 8, "a bounded number is valid"


async def test_what_is_done_to_webhooks_is_in_the_audit_log(world: WebhookWorld) -> None:
    with Receiver(500) as receiver:
        webhook, _ = await world.webhook(receiver.uri)
        await world.library().rotate(webhook)
        await world.library().update(webhook, {"name": "other"})
        for day in range(4):
            await world.end_job(f"job-{day}")
            await world.courier().step()
            world.clock.advance(timedelta(days=1))
        await world.library().delete(webhook)
    entries = await AuditRows(world.database).page(100, project=PROJECT)
    deeds = [(it.action, it.detail) for it in reversed(entries) if it.name.startswith("webhooks/")]
    assert deeds == [
        (Action.WEBHOOK_CREATE, None),
        (Action.WEBHOOK_ROTATE, None),
        (Action.WEBHOOK_UPDATE, None),
        (Action.WEBHOOK_UPDATE, "disabled_due_to_failed_deliveries"),
        (Action.WEBHOOK_DELETE, None),
    ]
    with pytest.raises(NotFound):
        await world.library().rotate(webhook)
