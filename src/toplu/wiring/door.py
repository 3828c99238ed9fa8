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
    parts: SharedParts, fleet: Fleet, attachments: Attachments, caches: CacheKeeper
) -> ASGIApp:
    """Return the application; who may reach it may ask in the name of any project."""
    settings = parts.settings
    ledger = Ledger(clock=parts.clock, rows=parts.storage.ledger)
    names = ModelNames(parts.catalogue)
    calls = ModelCalls(
        settings=settings,
        names=names,
        meter=Meter(
            settings=settings,
            clock=parts.clock,
            quotas=parts.quotas,
            ledger=ledger,
            rates=parts.storage.rates,
        ),
    )
    generate = GenerateApi(
        calls=calls,
        fleet=fleet,
        attachments=attachments,
        caches=caches,
        stall_seconds_max=settings.stream_stall_seconds_max,
    )
    gate = Gate(ForwardedIdentity())
    routes = [
        *generate.routes(gate),
        *EmbedApi(calls=calls, fleet=fleet).routes(gate),
        *CacheCreationApi(calls=calls, caches=caches, library=parts.caches).routes(gate),
        *BatchValidationApi(
            settings=settings,
            names=names,
            dry_run=_dry_run(parts, fleet, attachments, caches),
        ).routes(gate),
    ]
    return WireDispatch(
        gemini=build_router(routes, body_silence_seconds_max=settings.body_silence_seconds_max),
        openai=_openai(parts, calls, names, fleet, attachments),
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
        render=error_responses.render,
    )
