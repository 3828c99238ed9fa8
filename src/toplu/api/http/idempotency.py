"""The header `Idempotency-Key` of a create call."""

import hashlib
import re

from toplu.api.http.gate import Call
from toplu.errors import InvalidArgument
from toplu.idempotency import Creation, IdempotencyKey

HEADER = "idempotency-key"
REPLAYED = {"Idempotency-Replayed": "true"}
KEY = re.compile(r"[\x21-\x7e]{1,255}")


def key_of(call: Call, creation: Creation, *body: bytes) -> IdempotencyKey | None:
    """Return the key with a digest of the call, None if it has none; `body` may be in pieces."""
    key = call.request.headers.get(HEADER)
    if key is None:
        return None
    if KEY.fullmatch(key) is None:
        raise InvalidArgument(
            "Idempotency-Key must have 1 to 255 printable ASCII characters, and no space."
        )
    digest = hashlib.sha256(call.request.url.path.encode())
    for piece in body:
        digest.update(hashlib.sha256(piece).digest())
    return IdempotencyKey(
        project=call.project, creation=creation, key=key, fingerprint=digest.hexdigest()
    )
