"""Builds the side of a server that answers calls: jobs as clients see them, and the application."""

from collections.abc import Callable

from starlette.applications import Starlette

from toplu.api.app import build_app, protect
from toplu.api.gemini.batch_extensions import BatchExtensionsApi
from toplu.api.gemini.batches import BatchesApi
from toplu.api.gemini.caches import CachesApi
from toplu.api.gemini.embed import EmbedApi
from toplu.api.gemini.files import FilesApi
from toplu.api.gemini.generate import GenerateApi
from toplu.api.gemini.model_call import ModelCalls
from toplu.api.gemini.model_names import ModelNames
from toplu.api.gemini.models import ModelsApi
from toplu.api.gemini.uploads import UploadsApi
from toplu.api.http.gate import Gate
from toplu.api.http.health import Health
from toplu.batch.jobs.admission import Admission
from toplu.batch.jobs.cancel import JobCancellation
from toplu.batch.jobs.create import JobCreation
from toplu.batch.jobs.retry import JobRetry
from toplu.batch.jobs.update import JobUpdate
from toplu.batch.lookup import Lookup
from toplu.batch.results.reader import ResultReader
from toplu.batch.results.receipt import Receipts
from toplu.batch.schedule.candidates import EngineLoad
from toplu.batch.schedule.wait_reason import WaitReasons
from toplu.files.uploads import Uploads
from toplu.projects.keys import Keys
from toplu.projects.ledger import Ledger
from toplu.projects.meter import Meter
from toplu.wiring.shared_parts import SharedParts


class Api:
    """Keys, ledger and wait reasons, and the application that answers with them."""

    def __init__(
        self,
        parts: SharedParts,
        *,
        load_of: Callable[[str], EngineLoad],
        is_draining: Callable[[], bool],
        any_key_until_first: bool,
    ) -> None:
        self._parts = parts
        self.keys = Keys(clock=parts.clock, issued=parts.storage.keys)
        self.ledger = Ledger(clock=parts.clock, rows=parts.storage.ledger)
        self.wait_reasons = self._build_wait_reasons(load_of, is_draining)
        self._names = ModelNames(parts.catalogue)
        self._gate = Gate(keys=self.keys, any_key_until_first=any_key_until_first)
        self._calls = ModelCalls(
            settings=parts.settings,
            names=self._names,
            meter=Meter(
                settings=parts.settings, clock=parts.clock, quotas=parts.quotas, ledger=self.ledger
            ),
        )
        self._lookup = Lookup(jobs=parts.storage.jobs, blobs=parts.storage.blobs)
        self._admission = Admission(
            settings=parts.settings,
            clock=parts.clock,
            jobs=parts.storage.jobs,
            blobs=parts.storage.blobs,
            quotas=parts.quotas,
            created=parts.signals.created,
        )
        router = self._build_app(is_draining)
        self.routes = router.routes
        self.app = protect(router, settings=parts.settings, gate=self._gate)

    def _build_wait_reasons(
        self, load_of: Callable[[str], EngineLoad], is_draining: Callable[[], bool]
    ) -> WaitReasons:
        parts = self._parts
        return WaitReasons(
            settings=parts.settings,
            clock=parts.clock,
            jobs=parts.storage.jobs,
            load_of=load_of,
            weight_of=parts.quotas.weight_of,
            engines=parts.fleet.status,
            faults=parts.faults,
            is_draining=is_draining,
        )

    def _build_app(self, is_draining: Callable[[], bool]) -> Starlette:
        parts, settings = self._parts, self._parts.settings
        return build_app(
            gate=self._gate,
            batches=self._batches(),
            batch_extensions=self._batch_extensions(),
            files=FilesApi(settings=settings, library=parts.library),
            uploads=self._uploads(),
            models=ModelsApi(names=self._names),
            generate=GenerateApi(
                calls=self._calls,
                fleet=parts.fleet,
                attachments=parts.attachments,
                caches=parts.caches,
                stall_seconds_max=settings.stream_stall_seconds_max,
            ),
            caches=CachesApi(settings=settings, calls=self._calls, library=parts.caches),
            embed=EmbedApi(calls=self._calls, fleet=parts.fleet),
            health=Health(fleet=parts.fleet, is_draining=is_draining),
            body_silence_seconds_max=settings.body_silence_seconds_max,
        )

    def _batches(self) -> BatchesApi:
        parts = self._parts
        jobs = parts.storage.jobs
        return BatchesApi(
            settings=parts.settings,
            names=self._names,
            creation=JobCreation(
                settings=parts.settings,
                library=parts.library,
                blobs=parts.storage.blobs,
                admission=self._admission,
            ),
            lookup=self._lookup,
            cancellation=JobCancellation(
                clock=parts.clock,
                jobs=jobs,
                drop_job=parts.signals.dropped,
                deleted=parts.signals.deleted,
            ),
            update=JobUpdate(clock=parts.clock, jobs=jobs),
            wait_reasons=self.wait_reasons,
        )

    def _batch_extensions(self) -> BatchExtensionsApi:
        parts = self._parts
        reader = ResultReader(
            settings=parts.settings,
            jobs=parts.storage.jobs,
            blobs=parts.storage.blobs,
            results=parts.storage.results,
            lookup=self._lookup,
        )
        return BatchExtensionsApi(
            settings=parts.settings,
            names=self._names,
            lookup=self._lookup,
            results=reader,
            retry=JobRetry(blobs=parts.storage.blobs, results=reader, admission=self._admission),
            receipts=Receipts(jobs=parts.storage.jobs, ledger=parts.storage.ledger, results=reader),
            wait_reasons=self.wait_reasons,
        )

    def _uploads(self) -> UploadsApi:
        parts = self._parts
        uploads = Uploads(
            settings=parts.settings,
            clock=parts.clock,
            files=parts.storage.files,
            sessions=parts.storage.uploads,
            blobs=parts.storage.blobs,
            parts=parts.storage.partial_files,
            storage_bytes_max=parts.quotas.storage_bytes_max,
        )
        return UploadsApi(settings=parts.settings, uploads=uploads, gate=self._gate)
