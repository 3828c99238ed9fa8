"""API keys: each stands for one project and is returned once, when it is made.

Only a key's digest is kept. A key has 256 bits of chance, so a plain digest cannot be searched
backwards, and looking it up by digest reveals nothing through its timing.
"""

import hashlib
import re
import secrets
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta

from toplu.clock import Clock, random_id
from toplu.errors import InvalidArgument, NotFound
from toplu.job import ProjectId
from toplu.store.rows.keys import IssuedKey, KeyHolder, KeyRows

__all__ = ["IssuedKey", "KeyHolder", "Keys"]

MARK = "tpl_"  # lets people and secret scanners see what it is
SECRET_BYTES = 32  # 43 url-safe characters
PREFIX_LENGTH = 10
KEY_LENGTH_MAX = 256
LABEL_LENGTH_MAX = 200
PROJECT = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")

REMEMBERED_MAX = 4096
REMEMBERED_FOR = timedelta(seconds=1)  # as long as a key may outlive its revocation elsewhere


@dataclass(frozen=True, slots=True)
class _Answer:
    holder: KeyHolder
    until: datetime


class Keys:
    """Makes, finds and revokes keys."""

    def __init__(self, *, clock: Clock, issued: KeyRows) -> None:
        self._clock = clock
        self._issued = issued
        self._remembered: OrderedDict[str, _Answer] = OrderedDict()

    async def create(self, project: ProjectId, label: str, *, is_operator: bool = False) -> str:
        """Return a new key; there is no way to see it again.

        An operator's key sees all projects on the page; elsewhere it is one of its project's.
        """
        if PROJECT.fullmatch(project) is None:
            raise InvalidArgument(
                "A project has up to 63 lowercase letters, digits and dashes, and neither begins "
                f"nor ends with a dash: {project!r}"
            )
        if len(label) > LABEL_LENGTH_MAX:
            raise InvalidArgument(f"A label has {LABEL_LENGTH_MAX} characters at most.")
        key = MARK + secrets.token_urlsafe(SECRET_BYTES)
        await self._issued.add(
            IssuedKey(
                id=random_id(12),
                sha256=digest_of(key),
                project=project,
                label=label,
                prefix=key[:PREFIX_LENGTH],
                created=self._clock.now(),
                is_operator=is_operator,
            )
        )
        return key

    async def list(self) -> list[IssuedKey]:
        """Return every key that was made, revoked ones included, oldest first."""
        return await self._issued.all()

    async def revoke(self, id_or_prefix: str) -> IssuedKey:
        """Make the key invalid and return it as it was; a second time changes nothing."""
        found = await self._issued.find(id_or_prefix)
        if not found:
            raise NotFound(f"There is no key with the id or prefix {id_or_prefix!r}.")
        if len(found) > 1:
            raise InvalidArgument(f"Several keys begin with {id_or_prefix!r}: name one by its id.")
        await self._issued.revoke(found[0].id, self._clock.now())
        self._remembered.pop(found[0].sha256, None)
        return found[0]

    async def holder_of(self, key: str) -> KeyHolder | None:
        """Return whose key it is; None if it is not valid, or was revoked a second ago."""
        if len(key) > KEY_LENGTH_MAX:
            return None
        digest = digest_of(key)
        now = self._clock.now()
        known = self._remembered.get(digest)
        if known is not None and now < known.until:
            return known.holder
        holder = await self._issued.holder_of(digest)
        self._remembered.pop(digest, None)
        # Only valid keys are remembered: guesses cannot push them out, and a new key is
        # valid at once.
        if holder is not None:
            self._remembered[digest] = _Answer(holder, now + REMEMBERED_FOR)
            if len(self._remembered) > REMEMBERED_MAX:
                self._remembered.popitem(last=False)
        return holder

    async def holder_by_digest(self, digest: str) -> KeyHolder | None:
        """Return whose key has this digest; None if it is not valid, or not any more."""
        return await self._issued.holder_of(digest)

    async def any_exist(self) -> bool:
        """Return whether a key was ever made: revoking the last one does not open the API."""
        return await self._issued.any_exist()


def digest_of(key: str) -> str:
    """Return all that is kept of a key."""
    return hashlib.sha256(key.encode()).hexdigest()
