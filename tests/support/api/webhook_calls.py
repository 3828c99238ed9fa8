"""Webhooks by raw HTTP, at Google's paths."""

from typing import Any

import httpx2 as httpx

from toplu.settings.outbound import WebhookSettings

HOOKS = "/v1beta/webhooks"
URI = "https://receiver.invalid/hook"
BODY = {"name": "mine", "uri": URI, "subscribed_events": ["batch.succeeded"]}
CREATE = "/v1beta/models/gemini-2.5-flash:batchGenerateContent"
HERE = WebhookSettings(plain_http=True, allowed_networks=("127.0.0.0/8",))


def error_of(reply: httpx.Response, status: int) -> str:
    error: dict[str, Any] = reply.json()["error"]
    assert (reply.status_code, error["code"]) == (status, status), error
    return str(error["message"])


def create(http: httpx.Client, **values: Any) -> dict[str, Any]:
    reply = http.post(HOOKS, json=BODY | values)
    assert reply.status_code == 200, reply.text
    created: dict[str, Any] = reply.json()
    return created
