"""The terms of projects as this process knows them, with its own answers that no row has yet.

Rows are read with each lease and turn, and after each group of results; in between what this
process answers is added at once. So nothing begins here once what is in rows and what this process
has answered reach a cap: what runs then, here and in other processes, is finished and paid.
"""

import asyncio
from collections import Counter, OrderedDict
from dataclasses import dataclass, field

from toplu.clock import Clock
from toplu.job import Job, JobId, ProjectId
from toplu.money import Kind, Usage
from toplu.projects.quotas import Quotas
from toplu.projects.terms import NO_TERMS, Caps, Terms, with_more
from toplu.store.rows.spent import Spent, SpentRows

PROJECTS_MAX = 4096


@dataclass(slots=True)
class _Page:
    """The caps of one project, and its spending as last read and since."""

    caps: Caps
    spent: Spent = field(default_factory=Spent)
    unrecorded: Counter[JobId] = field(default_factory=Counter)  # by batch: in no row yet
    since: Counter[JobId] = field(default_factory=Counter)  # in rows that may be newer
    reading: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def terms(self) -> Terms:
        return Terms(caps=self.caps, spent=with_more(self.spent, self.unrecorded + self.since))


class TermsBook:
    """Says on which terms the batches of projects go on."""

    def __init__(self, *, clock: Clock, quotas: Quotas, rows: SpentRows) -> None:
        self._clock = clock
        self._quotas = quotas
        self._rows = rows
        self._pages: OrderedDict[ProjectId, _Page] = OrderedDict()  # of those that have caps

    async def of(self, project: ProjectId) -> Terms:
        """Return the terms of the project by the rows as they are now."""
        caps = await self._quotas.caps_of(project)
        if caps == NO_TERMS.caps:
            self._pages.pop(project, None)
            return NO_TERMS
        page = self._pages.setdefault(project, _Page(caps))
        page.caps = caps
        self._pages.move_to_end(project)
        if len(self._pages) > PROJECTS_MAX:
            self._pages.popitem(last=False)
        if caps.is_of_money:
            await self._read(project, page)
        return page.terms

    def known(self, project: ProjectId) -> Terms:
        """Return the terms of the project as they were last read, with what was answered since."""
        page = self._pages.get(project)
        return NO_TERMS if page is None else page.terms

    def note(self, job: Job, usage: Usage) -> int:
        """Count an answer that no row has yet; return what it counts as."""
        page = self._pages.get(job.project)
        if page is None or not page.caps.is_of_money:
            return 0
        cost = job.prices.cost(usage, Kind.BATCH)
        page.unrecorded[job.batch] += cost
        return cost

    def take_back(self, job: Job, cost: int) -> None:
        """Count it no more: it is kept nowhere."""
        if (page := self._pages.get(job.project)) is not None:
            page.unrecorded[job.batch] -= cost

    def note_recorded(self, job: Job, cost: int) -> None:
        """Have rows say it from now on."""
        if (page := self._pages.get(job.project)) is not None:
            page.unrecorded[job.batch] -= cost
            page.since[job.batch] += cost

    async def refresh(self, project: ProjectId) -> None:
        """Read again what the project has spent, if it has a cap."""
        page = self._pages.get(project)
        if page is not None and page.caps.is_of_money:
            await self._read(project, page)

    async def _read(self, project: ProjectId, page: _Page) -> None:
        async with page.reading:
            before = page.since.copy()
            by_batch = page.caps.of_batch is not None
            page.spent = await self._rows.of(project, self._clock.now(), by_batch=by_batch)
            page.since -= before
            page.unrecorded += Counter()  # forgets what has become nothing
