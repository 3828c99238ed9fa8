"""Interactive calls: answered at once, by the same pipeline as a batch line."""

from functools import partial
from operator import attrgetter

from starlette.responses import Response
from starlette.routing import Route

from toplu.api.gemini.model_call import Body, ModelCall, ModelCalls
from toplu.api.gemini.stream import STREAM_FORMS, form_of, in_its_form
from toplu.api.http.disconnects import while_connected
from toplu.api.http.gate import Call, Gate
from toplu.api.http.streaming.streamed_answer import StreamedAnswer
from toplu.caches.keeper import CacheKeeper
from toplu.engines.translation.cached_prefix import CachedPrefix
from toplu.errors import InvalidArgument
from toplu.files.attachments import Attachments
from toplu.fleet.fleet import Fleet
from toplu.fleet.work import Answer, ChunkListener, CountTokens, Resolve, Stream, Tier
from toplu.wire.gemini.content import (
    CountTokensRequest,
    GenerateContentRequest,
)

TIER_HEADER = "X-Gemini-Service-Tier"  # as the hosted service says which tier a call had


class GenerateApi:
    """Serves `models/…:generateContent`, `:streamGenerateContent` and `:countTokens`."""

    def __init__(
        self,
        *,
        calls: ModelCalls,
        fleet: Fleet,
        attachments: Attachments,
        caches: CacheKeeper,
        stall_seconds_max: float,
    ) -> None:
        self._calls = calls
        self._fleet = fleet
        self._attachments = attachments
        self._caches = caches
        self._stall_seconds_max = stall_seconds_max  # that a client may take none of a stream

    def routes(self, gate: Gate) -> list[Route]:
        return [
            Route(
                "/{version:version}/models/{model}:generateContent",
                gate.endpoint(self.generate),
                methods=["POST"],
            ),
            Route(
                "/{version:version}/models/{model}:streamGenerateContent",
                in_its_form(gate.endpoint(self.stream, forms=STREAM_FORMS)),
                methods=["POST"],
            ),
            Route(
                "/{version:version}/models/{model}:countTokens",
                gate.endpoint(self.count_tokens),
                methods=["POST"],
            ),
        ]

    async def generate(self, call: Call) -> Response:
        """Answer one request; a client that goes away stops the work."""
        made = await self._calls.open(call, "generateContent", GenerateContentRequest)
        request = made.body
        made.check("GenerateContentRequest", request)
        work = Answer(
            request=request,
            tier=Tier.of_call(request.service_tier),
            resolve=self._resolve(call),
            project=call.project,
            cached=await self._cached(made, request),
        )
        run = partial(self._fleet.pool(made.model.name).run, work)
        answered = await made.metered(
            run, attrgetter("usage"), kind=work.tier.kind, labels=request.labels
        )
        return await made.respond(answered.response, headers={TIER_HEADER: work.tier.spelled})

    async def stream(self, call: Call) -> Response:
        """Answer one request in chunks, as the engine makes them."""
        made = await self._calls.open(call, "streamGenerateContent", GenerateContentRequest)
        request = made.body
        made.check("GenerateContentRequest", request)
        tier = Tier.of_call(request.service_tier)
        resolve, cached = self._resolve(call), await self._cached(made, request)
        pool = self._fleet.pool(made.model.name)
        await made.admit()

        async def work(listener: ChunkListener) -> None:
            await pool.run(
                Stream(
                    request=request,
                    tier=tier,
                    listener=listener,
                    resolve=resolve,
                    project=call.project,
                    cached=cached,
                )
            )

        async def send_chunks(listener: ChunkListener) -> None:
            await made.metered_chunks(work, listener, kind=tier.kind, labels=request.labels)

        return StreamedAnswer(
            call.request,
            send_chunks,
            form_of(call.request),
            stall_seconds_max=self._stall_seconds_max,
        )

    async def count_tokens(self, call: Call) -> Response:
        """Answer with the length of the prompt as the model would read it."""
        made = await self._calls.open(call, "countTokens", CountTokensRequest)
        request = _counted(made.body)
        made.check("CountTokensRequest.generate_content_request", request)
        work = CountTokens(
            request=request, resolve=self._resolve(call), cached=await self._cached(made, request)
        )
        run = self._fleet.pool(made.model.name).run(work)
        return await made.respond(await while_connected(call.request, run))

    def _resolve(self, call: Call) -> Resolve:
        return self._attachments.of_project(call.project)

    async def _cached(
        self, made: ModelCall[Body], request: GenerateContentRequest
    ) -> CachedPrefix | None:
        return await self._caches.of_request(request, project=made.call.project, model=made.name)


def _counted(body: CountTokensRequest) -> GenerateContentRequest:
    if (body.contents is None) == (body.generate_content_request is None):
        raise InvalidArgument(
            "* CountTokensRequest: exactly one of contents and generate_content_request "
            "must be set\n"
        )
    return body.generate_content_request or GenerateContentRequest(contents=body.contents)
