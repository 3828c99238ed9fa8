"""Deeds that the audit log keeps, and in whose name they are done.

    a call's key, a command's user ──▶ act_as ──▶ … ──▶ the transaction of the deed notes `present`

The actor goes with the task, and into the threads that it waits for: each deed is noted where it is
done, whichever door it came by. What nobody asked for is done by the server.
"""

from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum


class Action(StrEnum):
    """The kind of a deed: of which thing, and what was done."""

    BATCH_CREATE = "batch.create"
    BATCH_RETRY = "batch.retry"
    BATCH_UPDATE = "batch.update"
    BATCH_PAUSE = "batch.pause"
    BATCH_RESUME = "batch.resume"
    BATCH_CANCEL = "batch.cancel"
    BATCH_DELETE = "batch.delete"
    BATCH_READ = "batch.read"  # its results
    FILE_CREATE = "file.create"
    FILE_DELETE = "file.delete"
    FILE_READ = "file.read"  # its bytes
    CACHE_CREATE = "cache.create"
    CACHE_UPDATE = "cache.update"
    CACHE_DELETE = "cache.delete"
    KEY_CREATE = "key.create"
    KEY_REVOKE = "key.revoke"
    PROJECT_UPDATE = "project.update"
    WEBHOOK_CREATE = "webhook.create"
    WEBHOOK_UPDATE = "webhook.update"
    WEBHOOK_DELETE = "webhook.delete"
    WEBHOOK_ROTATE = "webhook.rotate"  # its secret
    PROJECT_DELETE = "project.delete"


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Whoever does something, as far as it is known."""

    name: str  # `key/ID`, `operator/USER`, `anyone` while any key works, or `server`
    client: str | None = None  # the address that the call came from
    call: str | None = None  # the id of the call


SERVER = Actor(name="server")
_present: ContextVar[Actor] = ContextVar("actor", default=SERVER)


def act_as(actor: Actor) -> None:
    """Have all that this task does from here on be done in the name of the actor."""
    _present.set(actor)


def present() -> Actor:
    """Return in whose name this task does what it does."""
    return _present.get()
