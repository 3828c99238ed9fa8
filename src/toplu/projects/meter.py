"""Meters interactive calls: its project's rate limits before, the ledger after."""

import math
from dataclasses import dataclass
from typing import NoReturn

from toplu.clock import Clock
from toplu.errors import ResourceExhausted
from toplu.job import ProjectId
from toplu.labels import Labels
from toplu.metrics.measured import note_tokens
from toplu.money import Kind, Usage
from toplu.projects.ledger import Ledger
from toplu.projects.quotas import Quotas
from toplu.projects.rates import Ask, Bucket, Rates
from toplu.projects.terms import next_day
from toplu.projects.terms_book import TermsBook
from toplu.settings.server import ModelSettings, Settings
from toplu.store.rows.rates import RateRows

REQUESTS = "generate_content_requests_per_minute"
TOKENS = "generate_content_tokens_per_minute"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The rest of a rate, as far as one process knows."""

    of: str  # requests or tokens
    limit: int  # of a minute
    left: int
    full_after: float  # seconds


class Meter:
    """Admits interactive calls and charges for them."""

    def __init__(
        self,
        *,
        settings: Settings,
        clock: Clock,
        quotas: Quotas,
        terms: TermsBook,
        ledger: Ledger,
        rates: RateRows,
    ) -> None:
        self._settings = settings
        self._quotas = quotas
        self._terms = terms
        self._clock = clock
        self._ledger = ledger
        self._rates = Rates(clock=clock, rows=rates)

    async def admit(self, project: ProjectId, model: ModelSettings, *, requests: int = 1) -> None:
        """Count the requests of a call, or raise ResourceExhausted, which counts nothing."""
        tier = await self._quotas.tier_of(project)
        if tier.spend_per_day is not None and (await self._terms.of(project)).is_day_used_up:
            self._refuse_spending(tier.spend_per_day, model)
        asks = []
        if (limit := tier.requests_per_minute) is not None:
            # More requests in one call than a minute allows: the bucket must be full.
            bucket = Bucket(project, model.name, REQUESTS, limit)
            asks.append(Ask(bucket, needed=min(requests, limit), amount=requests))
        if (limit := tier.tokens_per_minute) is not None:
            asks.append(Ask(Bucket(project, model.name, TOKENS, limit), needed=1, amount=0))
        if asks and (refusal := await self._rates.admit(asks)) is not None:
            raise ResourceExhausted.of_quota(
                refusal.bucket.kind,
                refusal.bucket.per_minute,
                "the project has used up what a minute allows.",
                model=model.name,
                retry_seconds=refusal.seconds,
            )

    def _refuse_spending(self, limit: str, model: ModelSettings) -> NoReturn:
        now = self._clock.now()
        raise ResourceExhausted.of_quota(
            "spend_per_day",
            limit,
            "the project has spent what it may on one day.",
            model=model.name,
            retry_seconds=math.ceil((next_day(now) - now).total_seconds()),
        )

    async def standing(self, project: ProjectId, model: ModelSettings) -> list[Standing]:
        """Return what is left of each rate that the project has."""
        tier = await self._quotas.tier_of(project)
        limits = {
            "requests": (REQUESTS, tier.requests_per_minute),
            "tokens": (TOKENS, tier.tokens_per_minute),
        }
        found = []
        for of, (kind, limit) in limits.items():
            if limit is not None:
                left, seconds = self._rates.left(Bucket(project, model.name, kind, limit))
                found.append(Standing(of=of, limit=limit, left=left, full_after=seconds))
        return found

    async def charge(
        self,
        project: ProjectId,
        model: ModelSettings,
        usage: Usage,
        *,
        kind: Kind = Kind.INTERACTIVE,
        requests: int = 1,
        labels: Labels | None = None,
    ) -> None:
        """Take the tokens off the project's rate and enter the call into the ledger."""
        note_tokens(
            model.name,
            project,
            prompt=usage.prompt_tokens,
            cached=usage.cached_tokens,
            output=usage.output_tokens,
        )
        tier = await self._quotas.tier_of(project)
        debit = None
        if (limit := tier.tokens_per_minute) is not None:
            bucket = Bucket(project, model.name, TOKENS, limit)
            debit = self._rates.use(bucket, usage.total_tokens)
        await self._ledger.enter(
            project,
            model.name,
            kind=kind,
            requests=requests,
            usage=usage,
            prices=self._settings.prices_of(model),
            labels=labels,
            debit=debit,
        )
