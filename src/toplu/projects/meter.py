"""Meters interactive calls: its project's rate limits before, the ledger after."""

from toplu.clock import Clock
from toplu.errors import ResourceExhausted
from toplu.job import ProjectId
from toplu.labels import Labels
from toplu.money import Usage
from toplu.projects.ledger import Ledger
from toplu.projects.quotas import Quotas
from toplu.projects.rates import Rates
from toplu.settings.server import ModelSettings, Settings

REQUESTS = "generate_content_requests_per_minute"
TOKENS = "generate_content_tokens_per_minute"


class Meter:
    """Admits interactive calls and charges for them."""

    def __init__(self, *, settings: Settings, clock: Clock, quotas: Quotas, ledger: Ledger) -> None:
        self._settings = settings
        self._quotas = quotas
        self._ledger = ledger
        self._rates = Rates(clock=clock)

    async def admit(self, project: ProjectId, model: ModelSettings, *, requests: int = 1) -> None:
        """Count the requests of a call, or raise ResourceExhausted, which counts nothing."""
        tier = await self._quotas.tier_of(project)
        if (limit := tier.requests_per_minute) is not None:
            # More requests in one call than a minute allows: the bucket must be full.
            self._check(REQUESTS, project, model, limit, min(requests, limit))
        if (limit := tier.tokens_per_minute) is not None:
            self._check(TOKENS, project, model, limit, 1)
        if (limit := tier.requests_per_minute) is not None:
            self._rates.take((REQUESTS, project, model.name), limit, requests)

    async def charge(
        self,
        project: ProjectId,
        model: ModelSettings,
        usage: Usage,
        *,
        requests: int = 1,
        labels: Labels | None = None,
    ) -> None:
        """Take the tokens off the project's rate and enter the call into the ledger."""
        tier = await self._quotas.tier_of(project)
        if (limit := tier.tokens_per_minute) is not None:
            self._rates.take((TOKENS, project, model.name), limit, usage.total_tokens)
        prices = self._settings.prices_of(model)
        await self._ledger.enter(
            project, model.name, requests=requests, usage=usage, prices=prices, labels=labels
        )

    def _check(
        self, quota: str, project: ProjectId, model: ModelSettings, limit: int, amount: int
    ) -> None:
        seconds = self._rates.seconds_until((quota, project, model.name), limit, amount)
        if seconds:
            raise ResourceExhausted.of_quota(
                quota,
                limit,
                "the project has used up what a minute allows.",
                model=model.name,
                retry_seconds=seconds,
            )
