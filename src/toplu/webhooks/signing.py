"""Signatures of deliveries, as Standard Webhooks has them: HMAC-SHA256 with a webhook's secret.

webhook-id          the same at each try
webhook-timestamp   of this try, in seconds
webhook-signature   v1,… for each secret that is valid, with spaces between
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from datetime import datetime

MARK = "whsec_"
SECRET_BYTES = 32
HINT_LENGTH = 4
VERSION = "v1"


def new_secret() -> str:
    """Return a secret as clients get it."""
    return MARK + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def hint_of(secret: str) -> str:
    """Return the end of a secret, by which people know it among others."""
    return secret.rstrip("=")[-HINT_LENGTH:]


def headers_of(delivery_id: str, at: datetime, signature: str) -> dict[str, str]:
    """Return the headers of one try."""
    return {
        "webhook-id": delivery_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": signature,
    }


def sign(secrets_valid: Sequence[str], delivery_id: str, at: datetime, body: bytes) -> str:
    """Return a signature by each of the secrets."""
    signed = f"{delivery_id}.{int(at.timestamp())}.".encode() + body
    return " ".join(f"{VERSION},{_mac(secret, signed)}" for secret in secrets_valid)


def _mac(secret: str, signed: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(MARK))
    return base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
