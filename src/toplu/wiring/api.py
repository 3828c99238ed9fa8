"""Builds the side of a server that answers calls: jobs as clients see them, and the application."""

from collections.abc import Callable

from starlette.routing import BaseRoute

from toplu.api.app import build_router, protect
from toplu.api.doors.forwarded_call import Doors
from toplu.api.gemini import docs_page, unserved
from toplu.api.gemini.batch_extensions import BatchExtensionsApi
from toplu.api.gemini.batches import BatchesApi
from toplu.api.gemini.caches import CachesApi
from toplu.api.gemini.files import FilesApi
from toplu.api.gemini.forwarded_calls import ForwardedCalls
from toplu.api.gemini.model_names import ModelNames
from toplu.api.gemini.models import ModelsApi
from toplu.api.gemini.uploads import UploadsApi
from toplu.api.http.gate import Gate
from toplu.api.http.health import Health
from toplu.api.http.identity import KeyIdentity
from toplu.api.openai import error_responses
from toplu.api.openai.dispatch import WireDispatch
from toplu.api.openai.forwarded_calls import OpenaiForwardedCalls
from toplu.api.openai.gate import OpenaiGate
from toplu.api.openai.models import OpenaiModels
from toplu.batch.jobs.admission import Admission
from toplu.batch.jobs.cancel import JobCancellation
from toplu.batch.jobs.create import JobCreation
from toplu.batch.jobs.retry import JobRetry
from toplu.batch.jobs.update import JobUpdate
from toplu.batch.lookup import Lookup
from toplu.batch.results.reader import ResultReader
from toplu.batch.results.receipt import Receipts
from toplu.batch.schedule.wait_reason import WaitReasons
from toplu.files.uploads import Uploads
from toplu.projects.keys import Keys
from toplu.projects.ledger import Ledger
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
    ) -> None:
        self._parts = parts
        self._doors = doors
        self.keys = Keys(clock=parts.clock, issued=parts.storage.keys)
        self.ledger = Ledger(clock=parts.clock, rows=parts.storage.ledger)
        self.wait_reasons = WaitReasons(
            settings=parts.settings,
            clock=parts.clock,
            jobs=parts.storage.jobs,
            roster=parts.roster,
            weight_of=parts.quotas.weight_of,
            faults=parts.faults,
            is_draining=is_draining,
        )
        self._health = Health(settings=parts.settings, roster=parts.roster, is_draining=is_draining)
        self._names = ModelNames(parts.catalogue)
        identity = KeyIdentity(keys=self.keys, any_key_until_first=any_key_until_first)
        self._gate = Gate(identity)
        self._openai_gate = OpenaiGate(identity)
        self._lookup = Lookup(jobs=parts.storage.jobs, blobs=parts.storage.blobs)
        self._admission = self._build_admission()
        self.routes = self._routes()
        silence = parts.settings.body_silence_seconds_max
        both = WireDispatch(
            gemini=build_router(self.routes, body_silence_seconds_max=silence),
            openai=build_router(
                self._openai_routes(),
                body_silence_seconds_max=silence,
                render=error_responses.render,
            ),
        )
        self.app = protect(both, settings=parts.settings, identity=identity)

    def _build_admission(self) -> Admission:
        parts = self._parts
        return Admission(
            settings=parts.settings,
            clock=parts.clock,
            jobs=parts.storage.jobs,
            blobs=parts.storage.blobs,
            quotas=parts.quotas,
            created=parts.signals.created,
            planned=parts.signals.planned,
        )

    def _routes(self) -> list[BaseRoute]:
        parts, gate = self._parts, self._gate
        calls = ForwardedCalls(settings=parts.settings, names=self._names, doors=self._doors)
        return [
            *self._health.routes(),
            *docs_page.routes(),
            *unserved.routes(),
            *calls.routes(gate),
            *CachesApi(settings=parts.settings, library=parts.caches).routes(gate),
            *self._batch_extensions().routes(gate),
            *self._batches().routes(gate),
            *ModelsApi(names=self._names).routes(gate),
            *self._uploads().routes(),
            *FilesApi(settings=parts.settings, library=parts.library).routes(gate),
        ]

    def _openai_routes(self) -> list[BaseRoute]:
        parts, gate = self._parts, self._openai_gate
        models = OpenaiModels(self._names)
        calls = OpenaiForwardedCalls(settings=parts.settings, models=models, doors=self._doors)
        return [*calls.routes(gate), *models.routes(gate)]

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
