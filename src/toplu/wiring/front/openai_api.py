"""Builds OpenAI's API at the front door."""

from starlette.types import ASGIApp

from toplu.api.app import build_router
from toplu.api.doors.forwarded_call import Doors
from toplu.api.gemini.model_names import ModelNames
from toplu.api.http.identity import Identity
from toplu.api.http.middleware.http_times import HttpTimes
from toplu.api.http.middleware.request_ids import RequestIds
from toplu.api.openai import error_responses
from toplu.api.openai.batch.dry_run import OpenaiDryRun
from toplu.api.openai.batches import BatchParts, OpenaiBatches
from toplu.api.openai.document import page
from toplu.api.openai.files import OpenaiFiles
from toplu.api.openai.forwarded_calls import OpenaiForwardedCalls
from toplu.api.openai.gate import OpenaiGate
from toplu.api.openai.models import OpenaiModels
from toplu.api.openai.output_files import OutputFiles
from toplu.api.openai.webhooks.endpoints import WebhookEndpoints
from toplu.wiring.job_parts import JobParts
from toplu.wiring.shared_parts import SharedParts


def build_openai_api(
    parts: SharedParts,
    jobs: JobParts,
    *,
    doors: Doors,
    names: ModelNames,
    identity: Identity,
    batches: OpenaiBatches,
) -> ASGIApp:
    """Return the application; jobs and files are the same as the other API's."""
    settings = parts.settings
    gate = OpenaiGate(identity)
    models = OpenaiModels(names)
    outputs = OutputFiles(
        settings=settings, clock=parts.clock, lookup=jobs.lookup, renderer=jobs.renderer
    )
    files = OpenaiFiles(
        settings=settings, uploads=jobs.uploads, library=parts.library, outputs=outputs
    )
    app = build_router(
        [
            *page.routes(),
            *OpenaiForwardedCalls(settings=settings, models=models, doors=doors).routes(gate),
            *models.routes(gate),
            *files.routes(gate),
            *WebhookEndpoints(library=parts.webhooks).routes(gate),
            *batches.routes(gate),
        ],
        body_silence_seconds_max=settings.body_silence_seconds_max,
        times=HttpTimes,
        render=error_responses.render,
    )
    return RequestIds(app)


def build_openai_batches(
    parts: SharedParts, jobs: JobParts, *, doors: Doors, names: ModelNames
) -> OpenaiBatches:
    """Return the handlers of its batches, which the page has use for as well."""
    return OpenaiBatches(
        settings=parts.settings,
        models=OpenaiModels(names),
        parts=BatchParts(
            library=parts.library,
            creation=jobs.translated,
            dry_run=OpenaiDryRun(inputs=jobs.translated_inputs, doors=doors),
            lookup=jobs.lookup,
            cancellation=jobs.cancellation,
            update=jobs.update,
            results=jobs.results,
            retry=jobs.retry,
            receipts=jobs.receipts,
            wait_reasons=jobs.wait_reasons,
        ),
    )
