"""Webhooks through HTTP and Google's SDK: made, listed, changed, tried, told, and a new secret."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2 as httpx
import pytest
from google import genai
from standardwebhooks import Webhook as Verifier

from support.api.batch_calls import asking, batch_of
from support.api.local_server import LocalServer, OpenServer
from support.api.webhook_calls import BODY, CREATE, HERE, HOOKS, URI, create, error_of
from support.waiting import eventually
from support.webhooks.receiver import Receiver


@pytest.fixture
def server(open_test_server: OpenServer) -> LocalServer:
    return open_test_server(webhooks=HERE)


def deliveries(http: httpx.Client, webhook: str = "-") -> list[dict[str, Any]]:
    reply = http.get(f"{HOOKS}/{webhook}/deliveries")
    assert reply.status_code == 200, reply.text
    found: list[dict[str, Any]] = reply.json().get("deliveries", [])
    return found


def tried(delivery: dict[str, Any]) -> bool:
    return "last_status" in delivery


def the_settled(http: httpx.Client) -> dict[str, Any]:
    """Return the one delivery, once it waits no more."""

    def look() -> dict[str, Any] | None:
        (delivery,) = deliveries(http)
        return None if delivery["state"] == "waiting" else delivery

    return eventually(look)


def test_a_webhook_is_returned_with_its_secret_once(http: httpx.Client) -> None:
    created = create(http)
    secret = created.pop("new_signing_secret")
    assert re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=", secret)
    assert created == {
        "id": created["id"],
        "name": "mine",
        "uri": URI,
        "subscribed_events": ["batch.succeeded"],
        "state": "enabled",
        "create_time": created["create_time"],
        "update_time": created["create_time"],
        "signing_secrets": [{"truncated_secret": f"whsec_...{secret[-5:-1]}"}],
    }
    assert http.get(f"{HOOKS}/{created['id']}").json() == created
    assert http.get(HOOKS).json() == {"webhooks": [created]}
    assert http.get(f"/v1/webhooks/{created['id']}").json() == created


def test_google_s_sdk_manages_webhooks(client: genai.Client) -> None:
    created = client.webhooks.create(name="mine", uri=URI, subscribed_events=["batch.succeeded"])
    assert created.id is not None
    assert (created.new_signing_secret or "").startswith("whsec_")
    assert created.create_time is not None
    assert datetime.now(UTC) - created.create_time < timedelta(hours=1)  # noqa: TID251
    listed = client.webhooks.list(page_size=1)
    assert [webhook.id for webhook in listed.webhooks or []] == [created.id]
    found = client.webhooks.get(id=created.id)
    assert (found.new_signing_secret, found.state) == (None, "enabled")
    changed = client.webhooks.update(
        id=created.id, subscribed_events=["batch.failed"], update_mask="subscribed_events"
    )
    assert (changed.subscribed_events, changed.name) == (["batch.failed"], "mine")
    assert client.webhooks.update(id=created.id, state="disabled").state == "disabled"
    client.webhooks.ping(id=created.id)
    rotated = client.webhooks.rotate_signing_secret(
        id=created.id, revocation_behavior="revoke_previous_secrets_after_h24"
    )
    assert (rotated.secret or "").startswith("whsec_")
    assert rotated.secret != created.new_signing_secret
    old, new = sorted(
        client.webhooks.get(id=created.id).signing_secrets or [],
        key=lambda it: it.expire_time is None,
    )
    assert new.truncated_secret == f"whsec_...{(rotated.secret or '')[-5:-1]}"
    assert old.expire_time is not None
    assert timedelta(hours=23) < old.expire_time - datetime.now(UTC) < timedelta(hours=25)  # noqa: TID251
    client.webhooks.delete(id=created.id)
    assert not client.webhooks.list().webhooks


def test_a_batch_that_succeeded_is_told_to_the_webhook(
    http: httpx.Client, client: genai.Client
) -> None:
    with Receiver(500, 200) as receiver:
        secret = create(http, uri=receiver.uri)["new_signing_secret"]
        batch = http.post(CREATE, json=batch_of(asking("x"))).json()["name"]
        receiver.wait_for(1)
        # The next try is some seconds away; a person may be quicker.
        delivery = eventually(lambda: next(filter(tried, deliveries(http)), None))
        again = http.post(f"{HOOKS}/-/deliveries/{delivery['id']}:resend")
        assert (again.status_code, again.json()["id"]) == (200, delivery["id"])
        first, second = receiver.wait_for(2)[:2]
        assert first.headers["webhook-id"] == second.headers["webhook-id"] == delivery["id"]
        for received in (first, second):
            event = Verifier(secret).verify(received.body, received.headers)
            assert (event["type"], event["version"]) == ("batch.succeeded", "v1")
            assert event["data"] == {"id": batch}
            assert client.batches.get(name=event["data"]["id"]).state == "JOB_STATE_SUCCEEDED"
        settled = the_settled(http)
    assert (settled["state"], settled["last_status"], settled["batch"]) == ("delivered", 200, batch)


def test_a_ping_is_sent_at_once(http: httpx.Client) -> None:
    with Receiver() as receiver:
        webhook = create(http, uri=receiver.uri)
        assert http.post(f"{HOOKS}/{webhook['id']}:ping").json() == {}
        (received,) = receiver.wait_for(1)
        event = Verifier(webhook["new_signing_secret"]).verify(received.body, received.headers)
        assert (event["type"], event["data"]) == ("ping", {})
        assert the_settled(http)["state"] == "delivered"
        assert deliveries(http, webhook["id"]) == deliveries(http)


@pytest.mark.parametrize("behavior", [None, "revoke_previous_secrets_after_h24"])
def test_both_secrets_verify_after_a_rotation(http: httpx.Client, behavior: str | None) -> None:
    with Receiver() as receiver:
        webhook = create(http, uri=receiver.uri)
        body = {} if behavior is None else {"revocation_behavior": behavior.upper()}
        rotate = f"{HOOKS}/{webhook['id']}:rotateSigningSecret"
        secret = http.post(rotate, json=body).json()["secret"]
        http.post(f"{HOOKS}/{webhook['id']}:ping")
        (received,) = receiver.wait_for(1)
    for each in (secret, webhook["new_signing_secret"]):
        Verifier(each).verify(received.body, received.headers)


def test_an_old_secret_may_end_at_once(http: httpx.Client) -> None:
    webhook = create(http)
    rotate = f"{HOOKS}/{webhook['id']}:rotateSigningSecret"
    http.post(rotate, json={"revocation_behavior": "revoke_previous_secrets_immediately"})
    (left,) = http.get(f"{HOOKS}/{webhook['id']}").json()["signing_secrets"]
    assert left["truncated_secret"] != webhook["signing_secrets"][0]["truncated_secret"]
    assert "revoke_previous" in error_of(http.post(rotate, json={"revocation_behavior": "x"}), 400)


def test_the_same_call_again_makes_no_second_webhook(http: httpx.Client) -> None:
    first = create(http)
    assert create(http) == first
    keyed = {"Idempotency-Key": "one"}
    one, two = (http.post(HOOKS, json=BODY | {"name": "keyed"}, headers=keyed) for _ in range(2))
    assert one.json() == two.json()
    other = http.post(HOOKS, json=BODY | {"name": "other"}, headers=keyed)
    assert error_of(other, 409)
    assert len(http.get(HOOKS).json()["webhooks"]) == 2


def test_pages_of_webhooks(http: httpx.Client) -> None:
    names = {create(http, name=f"name-{number}")["name"] for number in range(3)}
    first = http.get(HOOKS, params={"page_size": 2}).json()
    rest = http.get(HOOKS, params={"page_token": first["next_page_token"]}).json()
    assert {each["name"] for each in first["webhooks"] + rest["webhooks"]} == names
    assert "next_page_token" not in rest


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"uri": "ftp://example.com"}, "begins with https:// or http://"),
        ({"uri": "http://10.0.0.1/"}, "10.0.0.1 is not a public address"),
        ({"uri": None}, "uri: an address begins with"),
        ({"subscribed_events": []}, "there must be one at least"),
        ({"subscribed_events": ["video.generated"]}, "video.generated never happens here"),
        ({"subscribed_event": ["batch.failed"]}, 'Unknown name "subscribed_event"'),
    ],
)
def test_a_webhook_that_will_not_do_is_refused(
    http: httpx.Client, values: dict[str, Any], reason: str
) -> None:
    assert reason in error_of(http.post(HOOKS, json=BODY | values), 400)


@pytest.mark.parametrize(
    ("body", "mask", "reason"),
    [
        ({"state": "disabled_due_to_failed_deliveries"}, None, "state: may be set to enabled"),
        ({}, "uri", "uri: an address begins with"),
        ({}, "id", "id cannot be changed"),
    ],
)
def test_a_change_that_will_not_do_is_refused(
    http: httpx.Client, body: dict[str, Any], mask: str | None, reason: str
) -> None:
    webhook = create(http)
    query = {} if mask is None else {"update_mask": mask}
    reply = http.patch(f"{HOOKS}/{webhook['id']}", json=body, params=query)
    assert reason in error_of(reply, 400)


def test_what_is_missing_is_not_found(http: httpx.Client) -> None:
    webhook = create(http)["id"]
    for reply in (
        http.get(f"{HOOKS}/nothing"),
        http.patch(f"{HOOKS}/nothing", json={}),
        http.delete(f"{HOOKS}/nothing"),
        http.post(f"{HOOKS}/nothing:ping"),
        http.post(f"{HOOKS}/nothing:rotateSigningSecret"),
        http.get(f"{HOOKS}/nothing/deliveries"),
        http.get(f"{HOOKS}/{webhook}/deliveries/nothing"),
        http.post(f"{HOOKS}/-/deliveries/nothing:resend"),
    ):
        assert error_of(reply, 404)
