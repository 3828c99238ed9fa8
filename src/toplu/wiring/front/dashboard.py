"""Builds the page, at the front door."""

from collections.abc import Callable
from dataclasses import dataclass

from starlette.types import ASGIApp

from toplu.api.dashboard.app import build_dashboard
from toplu.api.dashboard.batch_deeds import BatchDeeds
from toplu.api.dashboard.batch_views import BatchViews
from toplu.api.dashboard.gate import PageGate
from toplu.api.dashboard.new_batches import NewBatches
from toplu.api.dashboard.pages.audit import AuditPage
from toplu.api.dashboard.pages.batches import BatchPages
from toplu.api.dashboard.pages.files import FilePages
from toplu.api.dashboard.pages.live import LivePages
from toplu.api.dashboard.pages.models import ModelPages
from toplu.api.dashboard.pages.new_batch import NewBatchPages
from toplu.api.dashboard.pages.overview import Overview
from toplu.api.dashboard.pages.sign_in import SignInPages
from toplu.api.dashboard.pages.usage import UsagePages
from toplu.api.dashboard.pages.webhooks import WebhookPages
from toplu.api.dashboard.visitor import Sessions
from toplu.api.doors.forwarded_call import Doors
from toplu.api.gemini.batch_extensions import BatchExtensionsApi
from toplu.api.gemini.model_names import ModelNames
from toplu.api.http.identity import KeyIdentity
from toplu.api.openai.batches import OpenaiBatches
from toplu.batch.results.browsing import ResultBrowser
from toplu.batch.token_rate import TokenRate
from toplu.projects.keys import Keys
from toplu.projects.ledger import Ledger
from toplu.settings.hosts import is_loopback
from toplu.settings.server import Settings
from toplu.wiring.job_parts import JobParts
from toplu.wiring.shared_parts import SharedParts

SECRET = "page.key"  # noqa: S105  # the name of its file, and of the one that is derived


@dataclass(frozen=True, slots=True, kw_only=True)
class PageParts:
    """The parts of the front door that the page is made of."""

    jobs: JobParts
    names: ModelNames
    doors: Doors
    identity: KeyIdentity
    keys: Keys
    ledger: Ledger
    rate: TokenRate
    gemini: BatchExtensionsApi
    openai: OpenaiBatches
    is_draining: Callable[[], bool]


def has_page(settings: Settings) -> bool:
    """Return whether there is a page: unless it was said, where only this machine sees it."""
    return is_loopback(settings.host) if settings.dashboard is None else settings.dashboard


def build_page(parts: SharedParts, of_door: PageParts) -> ASGIApp:
    """Return the application of the page; it shows what the APIs have."""
    settings, jobs = parts.settings, of_door.jobs
    gate = PageGate(_sessions(parts, of_door))
    views = BatchViews(lookup=jobs.lookup, wait_reasons=jobs.wait_reasons)
    overview = Overview(
        settings=settings,
        roster=parts.roster,
        wait_reasons=jobs.wait_reasons,
        views=views,
        rate=of_door.rate,
    )
    batches = BatchPages(views=views, browser=_browser(parts), deeds=_deeds(of_door))
    live = LivePages(gate, overview=overview, batches=batches, is_draining=of_door.is_draining)
    new = NewBatchPages(
        gate, names=of_door.names, uploads=jobs.uploads, batches=_new_batches(parts, of_door)
    )
    models = ModelPages(names=of_door.names, roster=parts.roster, doors=of_door.doors)
    usage = UsagePages(
        settings=settings,
        clock=parts.clock,
        keys=of_door.keys,
        ledger=of_door.ledger,
        quotas=parts.quotas,
    )
    routes = [
        *SignInPages(gate, is_secure=(settings.public_url or "").startswith("https:")).routes(),
        *overview.routes(gate),
        *batches.routes(gate),
        *live.routes(),
        *new.routes(),
        *FilePages(library=parts.library).routes(gate),
        *models.routes(gate),
        *usage.routes(gate),
        *WebhookPages(webhooks=parts.webhooks).routes(gate),
        *AuditPage(audit=parts.audit).routes(gate),
    ]
    return build_dashboard(routes, body_silence_seconds_max=settings.body_silence_seconds_max)


def _sessions(parts: SharedParts, of_door: PageParts) -> Sessions:
    settings = parts.settings
    return Sessions(
        settings=settings,
        # A session holds at every api of a cluster.
        secret=settings.cluster.derived_key(SECRET) or parts.storage.data.secret(SECRET),
        clock=parts.clock,
        identity=of_door.identity,
        keys=of_door.keys,
        quotas=parts.quotas,
    )


def _browser(parts: SharedParts) -> ResultBrowser:
    storage = parts.storage
    return ResultBrowser(
        jobs=storage.jobs, blobs=storage.blobs, results=storage.results, library=parts.library
    )


def _deeds(of_door: PageParts) -> BatchDeeds:
    jobs = of_door.jobs
    return BatchDeeds(
        names=of_door.names,
        lookup=jobs.lookup,
        cancellation=jobs.cancellation,
        update=jobs.update,
        retry=jobs.retry,
        gemini=of_door.gemini,
        openai=of_door.openai,
    )


def _new_batches(parts: SharedParts, of_door: PageParts) -> NewBatches:
    return NewBatches(
        names=of_door.names,
        library=parts.library,
        uploads=of_door.jobs.uploads,
        creation=of_door.jobs.creation,
        openai=of_door.openai,
        doors=of_door.doors,
    )
