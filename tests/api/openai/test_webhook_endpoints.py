"""Webhook endpoints of OpenAI's API, by its SDK: registered, told of batches, and verified."""

from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai.types.webhooks import (
    WebhookEndpoint,
    WebhookEndpointTestResult,
    WebhookEndpointWithSecret,
)

from support.api.local_server import LocalServer, OpenServer, http_of
from support.api.openai_batches import chat_line, create, finish
from support.api.openai_calls import openai_client, openai_http, strictly
from support.webhooks.receiver import Receiver
from toplu.settings.outbound import WebhookSettings

URL = "https://receiver.invalid/hook"
HERE = WebhookSettings(plain_http=True, allowed_networks=("127.0.0.0/8",))


@pytest.fixture
def server(open_test_server: OpenServer) -> LocalServer:
    return open_test_server(webhooks=HERE)


@pytest.fixture
def sdk(server: LocalServer) -> Iterator[Any]:
    with openai_client(server) as client:
        yield client


def test_the_sdk_manages_endpoints(sdk: Any) -> None:
    events = ["batch.completed", "batch.failed"]
    made = sdk.webhooks.create(name="mine", url=URL, event_types=events)
    strictly(WebhookEndpointWithSecret, made.model_dump())
    assert made.id.startswith("wh_")
    assert made.signing_secret.startswith("whsec_")
    assert made.signing_secret_hint == f"whsec_...{made.signing_secret[-5:-1]}"
    found = sdk.webhooks.retrieve(made.id)
    strictly(WebhookEndpoint, found.model_dump(exclude_unset=True))
    assert "signing_secret" not in found.model_dump(exclude_unset=True)
    assert [it.id for it in sdk.webhooks.list()] == [made.id]
    changed = sdk.webhooks.update(made.id, name="other", event_types=["batch.expired"])
    assert (changed.name, changed.url, changed.event_types) == ("other", URL, ["batch.expired"])
    rotated = sdk.webhooks.rotate_secret(made.id, keep_old_secret_active_for_24_hours=True)
    assert rotated.signing_secret != made.signing_secret
    assert set(sdk.webhooks.event_types.list().data) >= set(events)
    assert sdk.webhooks.delete(made.id).deleted is True
    assert [*sdk.webhooks.list()] == []


@pytest.mark.parametrize("keeps", [True, False])
def test_a_batch_that_completed_is_told_and_unwrapped(sdk: Any, keeps: bool) -> None:
    with Receiver() as receiver:
        made = sdk.webhooks.create(
            name="mine", url=receiver.uri, event_types=["batch.completed", "batch.cancelled"]
        )
        new = sdk.webhooks.rotate_secret(made.id, keep_old_secret_active_for_24_hours=keeps)
        batch = finish(sdk, create(sdk, [chat_line("a", "hi")]))
        (received,) = receiver.wait_for(1)
    event = sdk.webhooks.unwrap(received.body, received.headers, secret=new.signing_secret)
    assert (event.type, event.data.id, event.object) == ("batch.completed", batch.id, "event")
    assert type(event).__name__ == "BatchCompletedWebhookEvent"
    if keeps:
        sdk.webhooks.unwrap(received.body, received.headers, secret=made.signing_secret)
    else:
        with pytest.raises(openai.InvalidWebhookSignatureError):
            sdk.webhooks.unwrap(received.body, received.headers, secret=made.signing_secret)


def test_a_batch_whose_file_is_wrong_is_told_as_failed(sdk: Any) -> None:
    with Receiver() as receiver:
        made = sdk.webhooks.create(name="", url=receiver.uri, event_types=["batch.failed"])
        batch = create(sdk, [chat_line("a", "hi"), chat_line("a", "again")])
        (received,) = receiver.wait_for(1)
    event = sdk.webhooks.unwrap(received.body, received.headers, secret=made.signing_secret)
    assert (event.type, event.data.id) == ("batch.failed", batch.id)


def test_each_api_lists_its_own_and_tells_of_its_own(server: LocalServer, sdk: Any) -> None:
    with Receiver() as of_gemini, http_of(server) as http:
        body = {"uri": of_gemini.uri, "subscribed_events": ["batch.failed", "batch.succeeded"]}
        webhook = http.post("/v1beta/webhooks", json=body).json()
        with Receiver() as of_openai:
            made = sdk.webhooks.create(name="x", url=of_openai.uri, event_types=["batch.completed"])
            assert [it["id"] for it in http.get("/v1beta/webhooks").json()["webhooks"]] == [
                webhook["id"]
            ]
            assert [it.id for it in sdk.webhooks.list()] == [made.id]
            finish(sdk, create(sdk, [chat_line("a", "hi")]))
            of_openai.wait_for(1)
        assert of_gemini.received == []
        with pytest.raises(openai.NotFoundError):
            sdk.webhooks.retrieve(f"wh_{webhook['id']}")
        of_other_api = http.get(f"/v1beta/webhooks/{made.id.removeprefix('wh_')}")
        assert of_other_api.status_code == 404


@pytest.mark.parametrize(
    ("values", "param", "reason"),
    [
        ({"url": "https://10.0.0.1/"}, "url", "not a public address"),
        ({"event_types": ["response.completed"]}, "event_types", "never happens here"),
        ({"event_types": []}, "event_types", "one at least"),
        ({"name": "x" * 513}, "name", "longer than 512"),
        ({"url": None}, "url", "url"),
    ],
)
def test_an_endpoint_that_will_not_do_is_refused_by_the_parameter(
    server: LocalServer, values: dict[str, Any], param: str, reason: str
) -> None:
    body = {"name": "x", "url": URL, "event_types": ["batch.completed"]} | values
    with openai_http(server) as http:
        reply = http.post("/webhook_endpoints", json=body)
    error = reply.json()["error"]
    assert (reply.status_code, error["param"]) == (400, param)
    assert reason in error["message"]


def test_an_endpoint_is_tried_with_a_sample(sdk: Any) -> None:
    with Receiver(204, 500) as receiver:
        made = sdk.webhooks.create(name="x", url=receiver.uri, event_types=["batch.completed"])
        for status in (204, 500):
            tested = sdk.webhooks.test(made.id, event_type="batch.failed")
            strictly(WebhookEndpointTestResult, tested.model_dump())
            assert (tested.status_code, tested.event_type) == (status, "batch.failed")
        first, second = receiver.received
        for received in (first, second):
            event = sdk.webhooks.unwrap(received.body, received.headers, secret=made.signing_secret)
            assert (event.type, event.data.id) == ("batch.failed", "batch_test")
    with pytest.raises(openai.BadRequestError, match="was not reached: Cannot connect"):
        sdk.webhooks.test(made.id, event_type="batch.failed")
    with pytest.raises(openai.BadRequestError, match="'event_type' is one of"):
        sdk.webhooks.test(made.id, event_type="response.completed")
