"""Webhooks: the resource, what is sent to them, and what a batch itself says of who is told.

All but the last is in snake_case on the wire, unlike the rest of the API.
"""

from typing import Any

from toplu.wire.gemini.message import FreeForm, Message


class WebhookConfig(Message, frozen=True, kw_only=True):
    """The addresses that are told of a batch's end, in place of the project's webhooks."""

    uris: list[str] | None = None
    user_metadata: FreeForm | None = None


class SnakeMessage(Message, frozen=True, kw_only=True, rename=None):
    """A message whose fields have the same names on the wire."""


class SigningSecret(SnakeMessage, frozen=True, kw_only=True):
    """A secret as it is shown after its first day: its end, and until when it is valid."""

    truncated_secret: str
    expire_time: str | None = None


class Webhook(SnakeMessage, frozen=True, kw_only=True):
    """An address that is told when batches end; clients set the first four."""

    name: str | None = None
    uri: str | None = None
    subscribed_events: list[str] | None = None
    state: str | None = None
    id: str | None = None
    create_time: str | None = None
    update_time: str | None = None
    signing_secrets: list[SigningSecret] | None = None
    new_signing_secret: str | None = None


class WebhookBody(SnakeMessage, frozen=True, kw_only=True):
    """A webhook as clients send it; what the server sets may come back, and is not acted on."""

    name: str | None = None
    uri: str | None = None
    subscribed_events: list[str] | None = None
    state: str | None = None
    id: Any = None
    create_time: Any = None
    update_time: Any = None
    signing_secrets: Any = None
    new_signing_secret: Any = None


class ListWebhooksResponse(SnakeMessage, frozen=True, kw_only=True):
    """A page of webhooks."""

    webhooks: list[Webhook] | None = None
    next_page_token: str | None = None


class PingWebhookRequest(SnakeMessage, frozen=True, kw_only=True):
    """The body of `:ping`, which has nothing to say."""


class RotateSigningSecretRequest(SnakeMessage, frozen=True, kw_only=True):
    """The body of `:rotateSigningSecret`."""

    revocation_behavior: str | None = None


class RotateSigningSecretResponse(SnakeMessage, frozen=True, kw_only=True):
    """The new secret, this once."""

    secret: str


class ResendDeliveryRequest(SnakeMessage, frozen=True, kw_only=True):
    """The body of `:resend`, which has nothing to say."""


class Delivery(SnakeMessage, frozen=True, kw_only=True):
    """One event on its way to one address; an extension."""

    id: str
    webhook: str | None = None
    event: str
    batch: str | None = None
    uri: str
    state: str
    create_time: str
    attempts: int
    next_try_time: str | None = None
    last_try_time: str | None = None
    last_status: int | None = None
    last_error: str | None = None
    end_time: str | None = None


class ListDeliveriesResponse(SnakeMessage, frozen=True, kw_only=True):
    """A page of deliveries."""

    deliveries: list[Delivery] | None = None
    next_page_token: str | None = None


class JsonWebKeySet(SnakeMessage, frozen=True, kw_only=True):
    """Public keys, by which tokens of the server are verified."""

    keys: list[FreeForm]


class EventData(SnakeMessage, frozen=True, kw_only=True):
    """The batch that an event is about; a test is about none."""

    id: str | None = None
    output_file_uri: str | None = None
    error_code: int | None = None
    error_message: str | None = None


class Event(SnakeMessage, frozen=True, kw_only=True, omit_defaults=False):
    """The body of a delivery."""

    type: str
    version: str = "v1"
    timestamp: str
    data: EventData


class EventOfConfig(Event, frozen=True, kw_only=True, omit_defaults=False):
    """The same, with what the call that made the batch said of itself."""

    user_metadata: FreeForm
