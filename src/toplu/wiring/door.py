"""Builds a worker's door: the application that answers calls which the front door has let in."""

from starlette.types import ASGIApp

from toplu.api.app import build_router
from toplu.api.gemini.batch_validation import BatchValidationApi
from toplu.api.gemini.cache_creation import CacheCreationApi
from toplu.api.gemini.embed import EmbedApi
from toplu.api.gemini.generate import GenerateApi
from toplu.api.gemini.model_call import ModelCalls
from toplu.api.gemini.model_names import ModelNames
from toplu.api.http.gate import Gate
from toplu.api.http.identity import ForwardedIdentity
from toplu.api.http.metrics import Metrics
from toplu.api.http.middleware.call_times import CallTimes
from toplu.api.openai import error_responses
from toplu.api.openai.dispatch import WireDispatch
from toplu.api.openai.gate import OpenaiGate
from toplu.api.openai.model_calls import OpenaiModelCalls
from toplu.api.openai.models import OpenaiModels
from toplu.batch.dry_run.dry_run import DryRun
from toplu.batch.dry_run.token_sample import TokenSampler
from toplu.batch.jobs.input import JobInputs
from toplu.batch.schedule.wait_reason import WaitReasons
from toplu.caches.keeper import CacheKeeper
from toplu.files.attachments import Attachments
from toplu.fleet.fleet import Fleet
from toplu.projects.ledger import Ledger
from toplu.projects.meter import Meter
from toplu.wiring.shared_parts import SharedParts


def build_door(
    parts: SharedParts,
    fleet: Fleet,
    attachments: Attachments,
    caches: CacheKeeper,
    metrics: Metrics,
) -> ASGIApp:
    """Return the application; who may reach it may ask in the name of any project."""
    settings, names = parts.settings, ModelNames(parts.catalogue)
    calls = ModelCalls(settings=settings, names=names, meter=_meter(parts))
    generate = GenerateApi(
        calls=calls,
        fleet=fleet,
        attachments=attachments,
        caches=caches,
        stall_seconds_max=settings.stream_stall_seconds_max,
    )
    validation = BatchValidationApi(
        settings=settings, names=names, dry_run=_dry_run(parts, fleet, attachments, caches)
    )
    gate = Gate(ForwardedIdentity())
    routes = [
        *metrics.routes(),
        *generate.routes(gate),
        *EmbedApi(calls=calls, fleet=fleet).routes(gate),
        *CacheCreationApi(calls=calls, caches=caches, library=parts.caches).routes(gate),
        *validation.routes(gate),
    ]
    return WireDispatch(
        gemini=build_router(
            routes,
            body_silence_seconds_max=settings.body_silence_seconds_max,
            times=CallTimes,
        ),
        openai=_openai(parts, calls, names, fleet, attachments),
    )


def _meter(parts: SharedParts) -> Meter:
    return Meter(
        settings=parts.settings,
        clock=parts.clock,
        quotas=parts.quotas,
        terms=parts.terms,
        ledger=Ledger(clock=parts.clock, rows=parts.storage.ledger),
        rates=parts.storage.rates,
    )


def _dry_run(
    parts: SharedParts, fleet: Fleet, attachments: Attachments, caches: CacheKeeper
) -> DryRun:
    """Return it; it knows of other jobs from rows alone."""
    settings, storage = parts.settings, parts.storage
    return DryRun(
        settings=settings,
        inputs=JobInputs(settings=settings, library=parts.library, blobs=storage.blobs),
        blobs=storage.blobs,
        jobs=storage.jobs,
        wait_reasons=WaitReasons(
            settings=settings,
            clock=parts.clock,
            jobs=storage.jobs,
            roster=parts.roster,
            weight_of=parts.quotas.weight_of,
            terms=parts.terms,
        ),
        sampler=TokenSampler(
            fleet=fleet, attachments=attachments, caches=caches, blobs=storage.blobs
        ),
    )


def _openai(
    parts: SharedParts,
    calls: ModelCalls,
    names: ModelNames,
    fleet: Fleet,
    attachments: Attachments,
) -> ASGIApp:
    made = OpenaiModelCalls(
        settings=parts.settings,
        clock=parts.clock,
        calls=calls,
        models=OpenaiModels(names),
        fleet=fleet,
        attachments=attachments,
    )
    return build_router(
        made.routes(OpenaiGate(ForwardedIdentity())),
        body_silence_seconds_max=parts.settings.body_silence_seconds_max,
        times=CallTimes,
        render=error_responses.render,
    )
