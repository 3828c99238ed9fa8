"""Signatures are verified by the library of Standard Webhooks."""

from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from toplu.clock import SystemClock
from toplu.webhooks.signing import headers_of, hint_of, new_secret, sign

BODY = '{"type":"batch.succeeded","data":{"id":"batches/ä"}}'.encode()


def signed(*secrets: str, at: datetime, body: bytes = BODY) -> dict[str, str]:
    return headers_of("msg_1", at, sign(secrets, "msg_1", at, body))


def test_a_signature_is_accepted_and_a_changed_body_is_not() -> None:
    secret = new_secret()
    headers = signed(secret, at=SystemClock().now())
    assert Webhook(secret).verify(BODY, headers)["type"] == "batch.succeeded"
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(BODY + b" ", headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(BODY, headers | {"webhook-id": "msg_2"})


def test_either_secret_opens_what_two_have_signed() -> None:
    old, new = new_secret(), new_secret()
    headers = signed(new, old, at=SystemClock().now())
    for secret in (old, new):
        Webhook(secret).verify(BODY, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(BODY, headers)


def test_an_old_signature_is_refused_which_is_why_each_try_signs_anew() -> None:
    secret = new_secret()
    now = SystemClock().now()
    with pytest.raises(WebhookVerificationError, match="too old"):
        Webhook(secret).verify(BODY, signed(secret, at=now - timedelta(seconds=400)))


def test_the_timestamp_is_of_whole_seconds() -> None:
    at = datetime(2026, 11, 22, 12, 0, 0, 999_999, tzinfo=UTC)
    assert signed(new_secret(), at=at)["webhook-timestamp"] == "1795348800"


def test_secrets_are_long_and_differ_and_are_known_by_their_ends() -> None:
    secrets = {new_secret() for _ in range(100)}
    assert len(secrets) == 100
    assert all(secret.startswith("whsec_") and len(secret) == 50 for secret in secrets)
    assert hint_of("whsec_abcdefgh==") == "efgh"
