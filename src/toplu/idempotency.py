"""Keys by which a create call may be sent again: `Idempotency-Key`, as many APIs have it.

The same key with the same body stands for what was made the first time; with another body it is a
mistake. What a key made is noted in the transaction that makes it, so that no crash and no race
makes two.
"""

import hashlib
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Self

from toplu.job import ProjectId


class Creation(StrEnum):
    """The kind of thing that a call makes; each has keys of its own."""

    BATCH = "BATCH"
    FILE = "FILE"
    CACHE = "CACHE"
    WEBHOOK = "WEBHOOK"


@dataclass(frozen=True, slots=True, kw_only=True)
class IdempotencyKey:
    """A client's key, and a digest of all that it asked for with it."""

    project: ProjectId
    creation: Creation
    key: str
    fingerprint: str  # lower-case hexadecimal

    def with_part(self, sha256: str) -> Self:
        """Return the key of a call of which these bytes are a part as well."""
        digest = hashlib.sha256(f"{self.fingerprint}{sha256}".encode())
        return replace(self, fingerprint=digest.hexdigest())


class AlreadyCreated(Exception):
    """The key has made something before: it is that which the call is answered with."""

    def __init__(self, resource: str) -> None:
        super().__init__(resource)
        self.resource = resource  # its id
