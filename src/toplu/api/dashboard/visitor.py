"""Visitors of the page: whose session it is, and what it may see.

A session is a signed cookie with the digest of the key that it was begun with, and nothing is kept
of it: it ends with the key, with its life, or when the browser forgets it. While any key works
(`KeyIdentity.accepts_any_key`), nobody has to sign in, and whoever comes is the operator.
"""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import itsdangerous
from starlette.requests import Request
from starlette.responses import Response

from toplu.api.http.identity import DEFAULT_PROJECT, KeyIdentity, act_in
from toplu.clock import Clock, random_id
from toplu.errors import PermissionDenied
from toplu.job import ProjectId
from toplu.projects.keys import PROJECT, Keys, digest_of
from toplu.projects.quotas import Quotas
from toplu.settings.server import Settings

SESSION, CHOSEN = "toplu_session", "toplu_project"
SESSION_SECONDS = 12 * 3600
TOKEN = "token"  # noqa: S105  # the name of the field of a form
KEYLESS = "keyless"  # the session of those that need none
NONCE_LENGTH = 24
LISTED_FOR = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Somebody who may look at a project, or at all of them."""

    project: ProjectId  # the one that is looked at
    is_operator: bool
    needs_key: bool  # and has shown one
    token: str  # that each form of theirs carries
    projects: Sequence[ProjectId]  # that may be looked at


class _Signer(itsdangerous.TimestampSigner):
    """One whose time is the server's clock."""

    clock: Clock

    def get_timestamp(self) -> int:
        return int(self.clock.now().timestamp())


class Sessions:
    """Begins sessions and tells whose they are."""

    def __init__(
        self,
        *,
        settings: Settings,
        secret: bytes,
        clock: Clock,
        identity: KeyIdentity,
        keys: Keys,
        quotas: Quotas,
    ) -> None:
        self._settings = settings
        self._secret = secret
        self._identity = identity
        self._keys = keys
        self._quotas = quotas
        self._clock = clock
        self._listed: tuple[datetime, Sequence[ProjectId]] | None = None
        self._signer = _Signer(secret, salt="session", digest_method=hashlib.sha256)
        self._signer.clock = clock

    async def begin(self, key: str) -> str:
        """Return the cookie of a new session; PermissionDenied if the key opens nothing."""
        digest = digest_of(key)
        if await self._keys.holder_by_digest(digest) is None:
            raise PermissionDenied("This key is not valid, or was revoked.")
        return self._signer.sign(f"{digest}.{random_id(NONCE_LENGTH)}").decode()

    async def visitor_of(self, request: Request) -> Visitor | None:
        """Return who asks, in whose name the task acts from here on; None: they are to sign in."""
        if await self._identity.accepts_any_key():
            act_in(request, self._settings, name="anyone")
            return await self._visitor(request, DEFAULT_PROJECT, KEYLESS, is_operator=True)
        session = self._session_of(request)
        if session is None:
            return None
        holder = await self._keys.holder_by_digest(session.partition(".")[0])
        if holder is None:
            return None
        act_in(request, self._settings, name=f"key/{holder.key_id}")
        return await self._visitor(request, holder.project, session, is_operator=holder.is_operator)

    def check_token(self, visitor: Visitor, given: str | None) -> None:
        """Raise PermissionDenied unless the form is one that this visitor was given."""
        if given is None or not hmac.compare_digest(visitor.token, given):
            raise PermissionDenied("The form is too old, or not from here. Load the page again.")

    def _session_of(self, request: Request) -> str | None:
        try:
            signed = request.cookies.get(SESSION, "")
            return self._signer.unsign(signed, max_age=SESSION_SECONDS).decode()
        except (itsdangerous.BadData, UnicodeError):
            return None

    async def _visitor(
        self, request: Request, project: ProjectId, session: str, *, is_operator: bool
    ) -> Visitor:
        projects: Sequence[ProjectId] = [project]
        if is_operator:
            projects = sorted({project, *await self._all_projects()})
            chosen = request.cookies.get(CHOSEN, "")
            if PROJECT.fullmatch(chosen) is not None:
                project = ProjectId(chosen)
        token = hmac.new(self._secret, f"form {session}".encode(), hashlib.sha256).hexdigest()
        return Visitor(
            project=project,
            is_operator=is_operator,
            needs_key=session != KEYLESS,
            token=token,
            projects=projects,
        )

    async def _all_projects(self) -> Sequence[ProjectId]:
        """Return every project, as it was within the last minute: to find them all reads a lot."""
        now = self._clock.now()
        # The clock may have been put back.
        if not self._listed or not self._listed[0] <= now < self._listed[0] + LISTED_FOR:
            self._listed = now, await self._quotas.known_projects()
        return self._listed[1]


def set_cookie(response: Response, name: str, value: str, *, is_secure: bool) -> None:
    """Have the browser keep a cookie for as long as a session, for this server alone."""
    response.set_cookie(
        name,
        value,
        max_age=SESSION_SECONDS,
        httponly=True,
        samesite="strict",
        secure=is_secure,
    )
