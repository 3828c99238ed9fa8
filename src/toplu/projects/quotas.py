"""The quotas of a project: those of its tier, which the operator chooses."""

import re
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from toplu.clock import Clock
from toplu.errors import InvalidArgument
from toplu.job import ProjectId
from toplu.projects.keys import PROJECT
from toplu.projects.terms import Caps
from toplu.settings.server import Settings, TierSettings
from toplu.store.rows.projects import Holdings, ProjectRows

__all__ = ["Holdings", "Quotas"]

log = structlog.get_logger()

REMEMBERED_MAX = 4096
REMEMBERED_FOR = timedelta(seconds=2)  # as long as a change made by another process may take


@dataclass(frozen=True, slots=True)
class _Remembered:
    tier: TierSettings
    until: datetime


class Quotas:
    """Tells and changes the tiers of projects."""

    def __init__(self, *, settings: Settings, clock: Clock, rows: ProjectRows) -> None:
        self._settings = settings
        self._clock = clock
        self._rows = rows
        self._tiers = {tier.name: tier for tier in settings.tiers}
        self._caps = {tier.name: Caps.of(tier) for tier in settings.tiers}
        self._remembered: OrderedDict[ProjectId, _Remembered] = OrderedDict()

    async def tier_of(self, project: ProjectId) -> TierSettings:
        """Return the project's tier, or the first: no tier, or one that is no more."""
        now = self._clock.now()
        known = self._remembered.get(project)
        if known is not None and now < known.until:
            return known.tier
        name = await self._rows.tier_of(project)
        first = self._settings.tiers[0]
        if name is not None and name not in self._tiers:
            log.warning("tier_unknown", project=project, tier=name, used=first.name)
        tier = first if name is None else self._tiers.get(name, first)
        self._remembered[project] = _Remembered(tier, now + REMEMBERED_FOR)
        self._remembered.move_to_end(project)
        if len(self._remembered) > REMEMBERED_MAX:
            self._remembered.popitem(last=False)
        return tier

    async def set_tier(self, project: ProjectId, name: str) -> None:
        """Give the project the tier; a running server follows within seconds."""
        if re.fullmatch(PROJECT, project) is None:
            raise InvalidArgument(f"{project!r} is not the name of a project.")
        if name not in self._tiers:
            names = ", ".join(self._tiers)
            raise InvalidArgument(f"{name!r} is not a tier of the settings, which have: {names}")
        await self._rows.set_tier(project, name, self._clock.now())
        self._remembered.pop(project, None)

    async def known_projects(self) -> list[ProjectId]:
        """Return every project that ever had anything."""
        return await self._rows.known()

    async def holdings(self, project: ProjectId) -> Holdings:
        """Return what the project uses at the moment."""
        return await self._rows.holdings(project)

    async def weight_of(self, project: ProjectId) -> int:
        """Return how much of an engine the project gets beside others."""
        return (await self.tier_of(project)).weight

    async def caps_of(self, project: ProjectId) -> Caps:
        """Return when the project's batches run, and what it may spend."""
        return self._caps[(await self.tier_of(project)).name]

    async def concurrent_batches_max(self, project: ProjectId) -> int:
        """Return how many of the project's batches may be unfinished."""
        tier = await self.tier_of(project)
        return tier.concurrent_batches or self._settings.concurrent_batches_max

    async def storage_bytes_max(self, project: ProjectId) -> int:
        """Return how many bytes the project's files may have together."""
        tier = await self.tier_of(project)
        return tier.storage_bytes or self._settings.project_bytes_max
