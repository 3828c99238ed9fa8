"""Builds what clients do with jobs, whichever API they come by."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from toplu.batch.chains.untying import Untying
from toplu.batch.jobs.admission import Admission
from toplu.batch.jobs.cancel import JobCancellation
from toplu.batch.jobs.carrying import Carrying
from toplu.batch.jobs.create import JobCreation
from toplu.batch.jobs.input import JobInputs
from toplu.batch.jobs.retry import JobRetry
from toplu.batch.jobs.translated import TranslatedCreation, TranslatedInputs
from toplu.batch.jobs.update import JobUpdate
from toplu.batch.lookup import Lookup
from toplu.batch.results.following import Following
from toplu.batch.results.reader import ResultReader
from toplu.batch.results.receipt import Receipts
from toplu.batch.results.rendering import Renderer
from toplu.batch.schedule.wait_reason import WaitReasons
from toplu.files.registration import Registration
from toplu.files.uploads import Uploads
from toplu.outbound.fetcher import Fetcher
from toplu.wiring.shared_parts import SharedParts


@dataclass(frozen=True, slots=True, kw_only=True)
class JobParts:
    """A part for each thing that a client does."""

    lookup: Lookup
    creation: JobCreation
    translated: TranslatedCreation
    translated_inputs: TranslatedInputs
    cancellation: JobCancellation
    update: JobUpdate
    results: ResultReader
    following: Following
    renderer: Renderer
    retry: JobRetry
    receipts: Receipts
    wait_reasons: WaitReasons
    uploads: Uploads
    registration: Registration

    @classmethod
    def build(cls, parts: SharedParts, *, is_draining: Callable[[], bool]) -> Self:
        """Return the parts; they share one admission, and one reader with its bounds."""
        settings, storage = parts.settings, parts.storage
        lookup = Lookup(jobs=storage.jobs, blobs=storage.blobs, audit=parts.audit)
        admission = _admission(parts)
        translated = TranslatedInputs(settings=settings, library=parts.library, blobs=storage.blobs)
        results = ResultReader(
            settings=settings,
            jobs=storage.jobs,
            blobs=storage.blobs,
            results=storage.results,
            lookup=lookup,
        )
        uploads = _uploads(parts)
        registration = Registration(fetcher=Fetcher(settings.inputs), uploads=uploads)
        return cls(
            lookup=lookup,
            creation=JobCreation(inputs=_inputs(parts, registration), admission=admission),
            translated=TranslatedCreation(inputs=translated, admission=admission),
            translated_inputs=translated,
            cancellation=_cancellation(parts),
            update=_update(parts),
            results=results,
            following=Following(
                jobs=storage.jobs, blobs=storage.blobs, results=results, lookup=lookup
            ),
            renderer=Renderer(settings=settings, blobs=storage.blobs, results=results),
            retry=_retry(parts, results, admission),
            receipts=Receipts(jobs=storage.jobs, ledger=storage.ledger, results=results),
            wait_reasons=_wait_reasons(parts, is_draining),
            uploads=uploads,
            registration=registration,
        )


def _cancellation(parts: SharedParts) -> JobCancellation:
    return JobCancellation(
        clock=parts.clock,
        jobs=parts.storage.jobs,
        drop_job=parts.signals.dropped,
        deleted=parts.signals.deleted,
    )


def _update(parts: SharedParts) -> JobUpdate:
    return JobUpdate(
        clock=parts.clock,
        jobs=parts.storage.jobs,
        paused=parts.signals.paused,
        resumed=parts.signals.planned,
    )


def _retry(parts: SharedParts, results: ResultReader, admission: Admission) -> JobRetry:
    storage = parts.storage
    return JobRetry(
        blobs=storage.blobs,
        results=results,
        carrying=Carrying(blobs=storage.blobs, log=storage.results, results=results),
        untying=Untying(
            blobs=storage.blobs, results=results, line_bytes_max=parts.settings.line_bytes_max
        ),
        admission=admission,
    )


def _inputs(parts: SharedParts, registration: Registration) -> JobInputs:
    return JobInputs(
        settings=parts.settings,
        library=parts.library,
        blobs=parts.storage.blobs,
        registration=registration,
    )


def _admission(parts: SharedParts) -> Admission:
    return Admission(
        settings=parts.settings,
        clock=parts.clock,
        jobs=parts.storage.jobs,
        blobs=parts.storage.blobs,
        quotas=parts.quotas,
        created=parts.signals.created,
        planned=parts.signals.planned,
        complete=parts.signals.complete,
    )


def _wait_reasons(parts: SharedParts, is_draining: Callable[[], bool]) -> WaitReasons:
    return WaitReasons(
        settings=parts.settings,
        clock=parts.clock,
        jobs=parts.storage.jobs,
        roster=parts.roster,
        weight_of=parts.quotas.weight_of,
        terms=parts.terms,
        faults=parts.faults,
        is_draining=is_draining,
    )


def _uploads(parts: SharedParts) -> Uploads:
    return Uploads(
        settings=parts.settings,
        clock=parts.clock,
        files=parts.storage.files,
        sessions=parts.storage.uploads,
        blobs=parts.storage.blobs,
        parts=parts.storage.partial_files,
        storage_bytes_max=parts.quotas.storage_bytes_max,
    )
