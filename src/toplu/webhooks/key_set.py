"""The server's own signature, for addresses that a batch named: no secret is shared with those.

`webhook-signature` is a JSON Web Token by RS256, for the very address and body; its key is found by
its `kid` in the JSON Web Key Set of `/.well-known/jwks.json`.
"""

import asyncio
import hashlib
import json
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from toplu.clock import Clock, random_id
from toplu.store.rows.webhook_secrets import SecretRows, SigningKey
from toplu.webhooks.vault import Sealed, Vault

ALGORITHM = "RS256"
BITS = 2048
EXPONENT = 65537
ID_LENGTH = 16
# As long as receivers of Standard Webhooks take a timestamp for a fresh one.
TOKEN_LIFE = timedelta(minutes=5)


class KeySet:
    """Keys of which the newest one signs; the first is made when it is needed."""

    def __init__(self, *, clock: Clock, rows: SecretRows, vault: Vault, issuer: str) -> None:
        self._clock = clock
        self._rows = rows
        self._vault = vault
        self._issuer = issuer

    async def public(self) -> list[dict[str, Any]]:
        """Return the public halves of all keys, as JSON Web Keys."""
        await self._newest()
        return [json.loads(key.public) for key in await self._rows.signing_keys()]

    async def sign(self, delivery_id: str, uri: str, body: bytes, at: datetime) -> str:
        """Return a token for one try."""
        key_id, private = await self._newest()
        claims = {
            "iss": self._issuer,
            "aud": uri,
            "jti": delivery_id,
            "iat": int(at.timestamp()),
            "exp": int((at + TOKEN_LIFE).timestamp()),
            "payload_sha256": hashlib.sha256(body).hexdigest(),
        }
        return jwt.encode(claims, private, algorithm=ALGORITHM, headers={"kid": key_id})

    async def _newest(self) -> tuple[str, bytes]:
        """Return the newest key that can be opened, with its id."""
        unknown: set[str] = set()
        while True:
            for key in await self._rows.signing_keys():
                try:
                    return key.id, self._vault.open(key.private)
                except Sealed:
                    unknown.add(key.id)
            await self._make(beside=unknown)

    async def _make(self, beside: Collection[str]) -> None:
        key_id = random_id(ID_LENGTH)
        private, public = await asyncio.to_thread(_new_key, key_id)
        key = SigningKey(id=key_id, private=private, public=public, created=self._clock.now())
        await self._rows.add_signing_key(key, self._vault.seal, beside)


def _new_key(key_id: str) -> tuple[bytes, str]:
    """Return both halves of a key; it takes a tenth of a second."""
    key = rsa.generate_private_key(public_exponent=EXPONENT, key_size=BITS)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    public = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return private, json.dumps(public | {"kid": key_id, "alg": ALGORITHM, "use": "sig"})
