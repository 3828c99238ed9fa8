"""The audit log as it is read, and the readings that are noted in it.

What changes something is noted in its own transaction (`store.rows.audit`). To read changes
nothing: a reading is written before its first byte goes out, those that come together in one
transaction. What an actor reads of one thing within a minute is one entry.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

import structlog

from toplu.clock import Clock
from toplu.deed import Action
from toplu.errors import InvalidArgument
from toplu.job import ProjectId
from toplu.store.rows.audit import AuditEntry, AuditRows

__all__ = ["AuditEntry", "AuditLog", "actions_of"]

log = structlog.get_logger()

ONE_READING = timedelta(minutes=1)
REMEMBERED_MAX = 4096  # readings that others may be the same as
PAGE_SIZE_MAX = 1000

Reading = tuple[str, str | None, ProjectId, Action, str]


@dataclass(frozen=True, slots=True)
class _Waiting:
    entry: AuditEntry
    written: asyncio.Future[None]


class AuditLog:
    """Shows what was done in projects, and notes what was read."""

    def __init__(self, *, clock: Clock, rows: AuditRows) -> None:
        self._clock = clock
        self._rows = rows
        self._waiting: list[_Waiting] = []
        self._writing = asyncio.Lock()
        self._remembered: OrderedDict[Reading, datetime] = OrderedDict()

    async def note_reading(self, action: Action, project: ProjectId, name: str) -> None:
        """Write who reads the thing, before it is read; returns when that is durable.

        Where nothing can be written the entry goes to the server's log, and reading goes on.
        """
        now = self._clock.now()
        entry = AuditEntry.of(action, project, name, now)
        reading = (entry.actor, entry.client, project, action, name)
        begun = self._remembered.get(reading)
        if begun is not None and begun <= now < begun + ONE_READING:
            return
        waiting = _Waiting(entry, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        async with self._writing:
            # Whoever came first has written all that waited for it.
            if not waiting.written.done():
                await self._write_waiting()
        self._remember(reading, now)

    async def page(
        self,
        *,
        size: int,
        project: ProjectId | None = None,
        since: datetime | None = None,
        actions: Sequence[Action] = (),
        token: str | None = None,
    ) -> tuple[list[AuditEntry], str | None]:
        """Return up to `size` entries, newest first, and the token of the next page if any."""
        if not 1 <= size <= PAGE_SIZE_MAX:
            raise InvalidArgument(f"A page has 1 to {PAGE_SIZE_MAX} entries, not {size}.")
        before = None if token is None else _number_of(token)
        found = await self._rows.page(
            size + 1, project=project, since=since, actions=actions, before=before
        )
        page = found[:size]
        return page, str(page[-1].id) if len(found) > size else None

    async def forget_before(self, moment: datetime) -> bool:
        """Remove older entries, a bounded number; return whether there may be more."""
        return await self._rows.forget_before(moment)

    async def _write_waiting(self) -> None:
        group, self._waiting = self._waiting, []
        entries = [waiting.entry for waiting in group]
        try:
            await self._rows.add(entries)
        except OSError as fault:
            for entry in entries:
                log.error("audit_not_written", reason=fault.strerror, **_words_of(entry))  # noqa: TRY400
        finally:
            # Also when the writing call is cancelled: its transaction runs to the end.
            for waiting in group:
                if not waiting.written.done():
                    waiting.written.set_result(None)

    def _remember(self, reading: Reading, now: datetime) -> None:
        self._remembered[reading] = now
        self._remembered.move_to_end(reading)
        if len(self._remembered) > REMEMBERED_MAX:
            self._remembered.popitem(last=False)


def actions_of(text: str) -> list[Action]:
    """Return the action of that name, or all of one kind of thing: `batch` has `batch.read`."""
    found = [it for it in Action if it == text or it.partition(".")[0] == text]
    if not found:
        known = ", ".join(Action)
        raise InvalidArgument(f"{text!r} is no action; those are {known}.")
    return found


def _number_of(token: str) -> int:
    if not (token.isascii() and token.isdecimal() and len(token) < len(str(2**63))):
        raise InvalidArgument("The page token is not one that this server gave.")
    return int(token)


def _words_of(entry: AuditEntry) -> dict[str, str]:
    return {name: str(value) for name, value in asdict(entry).items() if value is not None}
