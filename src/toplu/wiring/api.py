"""Builds the side of a server that answers calls: jobs as clients see them, and the application."""

from collections.abc import Callable, Sequence

from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from toplu.api.app import build_router, protect
from toplu.api.dashboard.app import PageDispatch
from toplu.api.doors.forwarded_call import Doors
from toplu.api.gemini import docs_page, unserved
from toplu.api.gemini.batch_extensions import BatchExtensionsApi
from toplu.api.gemini.batches import BatchesApi
from toplu.api.gemini.caches import CachesApi
from toplu.api.gemini.deliveries import DeliveriesApi
from toplu.api.gemini.files import FilesApi
from toplu.api.gemini.forwarded_calls import ForwardedCalls
from toplu.api.gemini.key_set import KeySetApi
from toplu.api.gemini.model_names import ModelNames
from toplu.api.gemini.models import ModelsApi
from toplu.api.gemini.uploads import UploadsApi
from toplu.api.gemini.webhooks import WebhooksApi
from toplu.api.http.gate import Gate
from toplu.api.http.health import Health
from toplu.api.http.identity import KeyIdentity
from toplu.api.http.metrics import Metrics
from toplu.api.http.middleware.http_times import HttpTimes
from toplu.api.openai.dispatch import WireDispatch
from toplu.batch.token_rate import TokenRate
from toplu.monitoring.backlog import BacklogFigures
from toplu.monitoring.exporter import Exporter, Source
from toplu.monitoring.storage import StorageFigures
from toplu.placement.calls import RecentCalls
from toplu.placement.demand import Demands
from toplu.projects.keys import Keys
from toplu.projects.ledger import Ledger
from toplu.store.data_folder import DataFolder
from toplu.wiring.front.dashboard import PageParts, build_page, has_page
from toplu.wiring.front.openai_api import build_openai_api, build_openai_batches
from toplu.wiring.job_parts import JobParts
from toplu.wiring.shared_parts import SharedParts


class Api:
    """The application at the front door, with keys, ledger and wait reasons."""

    def __init__(
        self,
        parts: SharedParts,
        *,
        doors: Doors,
        is_draining: Callable[[], bool],
        any_key_until_first: bool,
        own_figures: Sequence[Source] = (),
    ) -> None:
        self._parts = parts
        self._doors = doors
        self.keys = Keys(clock=parts.clock, issued=parts.storage.keys)
        self.ledger = Ledger(clock=parts.clock, rows=parts.storage.ledger)
        self._jobs = JobParts.build(parts, is_draining=is_draining)
        self.wait_reasons = self._jobs.wait_reasons
        self._health = Health(settings=parts.settings, roster=parts.roster, is_draining=is_draining)
        self._names = ModelNames(parts.catalogue)
        self.metrics = Metrics(self._exporter(own_figures))
        identity = KeyIdentity(
            settings=parts.settings, keys=self.keys, any_key_until_first=any_key_until_first
        )
        self._gate = Gate(identity)
        self.routes = [*self.metrics.front_routes(identity), *self._routes()]
        gemini = build_router(
            self.routes,
            body_silence_seconds_max=parts.settings.body_silence_seconds_max,
            times=HttpTimes,
        )
        self._openai_batches = build_openai_batches(
            parts, self._jobs, doors=doors, names=self._names
        )
        self._rate = TokenRate(clock=parts.clock, counts=parts.storage.token_counts)
        both = WireDispatch(gemini=gemini, openai=self._openai(identity))
        app = self._with_page(both, identity, is_draining)
        self.app = protect(app, settings=parts.settings, identity=identity)

    async def work(self) -> None:
        """Do what goes on beside the calls, until it is cancelled."""
        if has_page(self._parts.settings):
            await self._rate.work()

    def _openai(self, identity: KeyIdentity) -> ASGIApp:
        return build_openai_api(
            self._parts,
            self._jobs,
            doors=self._doors,
            names=self._names,
            identity=identity,
            batches=self._openai_batches,
        )

    def _with_page(
        self, apis: ASGIApp, identity: KeyIdentity, is_draining: Callable[[], bool]
    ) -> ASGIApp:
        if not has_page(self._parts.settings):
            return apis
        page = build_page(
            self._parts,
            PageParts(
                jobs=self._jobs,
                names=self._names,
                doors=self._doors,
                identity=identity,
                keys=self.keys,
                ledger=self.ledger,
                rate=self._rate,
                gemini=self._batch_extensions(),
                openai=self._openai_batches,
                is_draining=is_draining,
            ),
        )
        return PageDispatch(page=page, apis=apis)

    def _exporter(self, own_figures: Sequence[Source]) -> Exporter:
        """Return what answers monitors: with what rows say, and with what workers answer."""
        parts, rows = self._parts, self._parts.storage.backlog
        calls = RecentCalls(parts.settings.models)
        parts.signals.when_called(calls.note)
        backlog = BacklogFigures(
            models=parts.settings.models,
            clock=parts.clock,
            rows=rows,
            demands=Demands(settings=parts.settings, rows=rows, roster=parts.roster, calls=calls),
            roster=parts.roster,
        )
        storage = StorageFigures(DataFolder(parts.settings.data_dir), rows)
        return Exporter(
            parts.process, [backlog.read, storage.read, *own_figures], self._doors.figures
        )

    def _routes(self) -> list[BaseRoute]:
        parts, gate = self._parts, self._gate
        calls = self._calls()
        uploads = UploadsApi(
            settings=parts.settings, uploads=self._jobs.uploads, library=parts.library, gate=gate
        )
        return [
            *self._health.routes(),
            *docs_page.routes(),
            *unserved.routes(),
            *calls.routes(gate),
            *KeySetApi(key_set=parts.key_set).routes(),
            *WebhooksApi(library=parts.webhooks).routes(gate),
            *DeliveriesApi(library=parts.webhooks).routes(gate),
            *CachesApi(settings=parts.settings, library=parts.caches).routes(gate),
            *self._batch_extensions().routes(gate),
            *self._batches().routes(gate),
            *ModelsApi(names=self._names).routes(gate),
            *uploads.routes(),
            *FilesApi(
                settings=parts.settings,
                library=parts.library,
                registration=self._jobs.registration,
            ).routes(gate),
        ]

    def _calls(self) -> ForwardedCalls:
        return ForwardedCalls(settings=self._parts.settings, names=self._names, doors=self._doors)

    def _batches(self) -> BatchesApi:
        return BatchesApi(
            settings=self._parts.settings,
            names=self._names,
            calls=self._calls(),
            creation=self._jobs.creation,
            lookup=self._jobs.lookup,
            cancellation=self._jobs.cancellation,
            update=self._jobs.update,
            wait_reasons=self.wait_reasons,
        )

    def _batch_extensions(self) -> BatchExtensionsApi:
        return BatchExtensionsApi(
            settings=self._parts.settings,
            names=self._names,
            lookup=self._jobs.lookup,
            results=self._jobs.results,
            following=self._jobs.following,
            retry=self._jobs.retry,
            receipts=self._jobs.receipts,
            wait_reasons=self.wait_reasons,
        )
