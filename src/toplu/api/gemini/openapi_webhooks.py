"""The table of the calls of webhooks, a part of that of every call."""

from toplu.api.http.openapi.operated import Operated
from toplu.wire.gemini.webhook import (
    Delivery,
    JsonWebKeySet,
    ListDeliveriesResponse,
    ListWebhooksResponse,
    PingWebhookRequest,
    ResendDeliveryRequest,
    RotateSigningSecretRequest,
    RotateSigningSecretResponse,
    Webhook,
    WebhookBody,
)

PAGE = ("page_size", "page_token")
WEBHOOKS = "/{version}/webhooks"
WEBHOOK = f"{WEBHOOKS}/{{webhook}}"
DELIVERIES = f"{WEBHOOK}/deliveries"

WEBHOOK_CALLS = (
    Operated(
        "post",
        WEBHOOKS,
        "Create a webhook; its secret is in this answer alone.",
        takes=WebhookBody,
        gives=Webhook,
        headers=("Idempotency-Key",),
        fails=(409, 429),
    ),
    Operated("get", WEBHOOKS, "List webhooks.", gives=ListWebhooksResponse, query=PAGE),
    Operated("get", WEBHOOK, "Get a webhook.", gives=Webhook),
    Operated(
        "patch",
        WEBHOOK,
        "Change a webhook.",
        takes=WebhookBody,
        gives=Webhook,
        query=("update_mask",),
    ),
    Operated("delete", WEBHOOK, "Delete a webhook with its deliveries."),
    Operated(
        "post", f"{WEBHOOK}:ping", "Have a test sent to a webhook, once.", takes=PingWebhookRequest
    ),
    Operated(
        "post",
        f"{WEBHOOK}:rotateSigningSecret",
        "Make a new secret; it is in this answer alone.",
        takes=RotateSigningSecretRequest,
        gives=RotateSigningSecretResponse,
    ),
    Operated(
        "get",
        DELIVERIES,
        "List what a webhook was told and is to be told; `-` in its place is all of the project.",
        gives=ListDeliveriesResponse,
        query=PAGE,
    ),
    Operated("get", f"{DELIVERIES}/{{delivery}}", "Get a delivery.", gives=Delivery),
    Operated(
        "post",
        f"{DELIVERIES}/{{delivery}}:resend",
        "Have a delivery sent again, under the same id.",
        takes=ResendDeliveryRequest,
        gives=Delivery,
    ),
    Operated(
        "get",
        "/.well-known/jwks.json",
        "Get the public keys of the server's own signatures.",
        gives=JsonWebKeySet,
        is_health=True,
    ),
)
