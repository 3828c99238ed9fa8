"""The way of a text through one embedder, shared by batches and interactive calls.

decode ──▶ queue ──▶ group ──▶ quarantine ──▶ ready embedder ──▶ embed ──▶ encode
             ▲                                                     │
             └──── alone ◀── the group failed, or the engine died ─┘

Texts that wait together travel together. When a group fails each of its texts goes again,
alone; one that brings the engine down every time is condemned, and everybody else is answered.
"""

import asyncio
from collections.abc import Sequence

import structlog

from toplu.engines.embedder import TEXT_CHARACTERS_MAX, Embedder, Embedding
from toplu.engines.embedding_answer import write_embedding
from toplu.engines.embedding_request import EmbeddingQuery, read_query
from toplu.engines.engine import EngineDied
from toplu.errors import Internal, TopluError, Unavailable
from toplu.fleet.embedding_queue import GROUP_TEXTS_MAX, EmbeddingQueue, WaitingText
from toplu.fleet.patience import Patience
from toplu.fleet.quarantine import Quarantine
from toplu.fleet.supervisor import EngineStopped, Supervisor
from toplu.gemini.embedding import EmbedContentRequest, EmbedContentResponse
from toplu.settings import ModelSettings, Settings

log = structlog.get_logger()

GROUPS_AT_ONCE = 2  # one is computed, and one waits behind it in the engine
# So many groups' worth of a batch wait here: the more to choose from, the more alike in length.
GROUPS_WAITING = 2


class EmbeddingPool:
    """Answers requests for one embedding model; `run` does the work."""

    def __init__(
        self, *, model: ModelSettings, supervisor: Supervisor[Embedder], settings: Settings
    ) -> None:
        self._model = model
        self._supervisor = supervisor
        self._patience = Patience(
            waiting_max=settings.interactive_waiting_max,
            seconds_max=settings.request_seconds_max,
            reason=lambda: supervisor.reason,
        )
        self._crashes_max = settings.engine_crashes_per_request_max
        self._queue = EmbeddingQueue()
        self._quarantine = Quarantine()
        self._stopped = False

    @property
    def window(self) -> int:
        """Return how many batch calls keep the engine busy; more would only wait here."""
        return (GROUPS_AT_ONCE + GROUPS_WAITING) * GROUP_TEXTS_MAX

    async def answer(
        self, request: EmbedContentRequest, *, interactive: bool, label: str | None = None
    ) -> EmbedContentResponse:
        """Answer the request, or raise the TopluError that is its outcome.

        EngineGivenUp alone says nothing about the request. `label` names it in the log.
        """
        query = read_query(request, self._model)
        if interactive:
            (response,) = await self._answer_patiently([query])
            return response
        return self._response(await self._embed(query, interactive=False, label=label), query)

    async def answer_all(
        self, requests: Sequence[EmbedContentRequest]
    ) -> list[EmbedContentResponse]:
        """Answer interactive requests that came in one call; one that fails fails the call."""
        return await self._answer_patiently([read_query(each, self._model) for each in requests])

    async def run(self) -> None:
        """Send group after group until cancelled; interactive calls that wait then fail."""
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(GROUPS_AT_ONCE):
                    group.create_task(self._send_groups())
        finally:
            # A batch call is not answered: whoever stopped the fleet is about to cancel it.
            self._stopped = True
            for waiting in self._queue.drain():
                if waiting.interactive:
                    _fail(waiting, EngineStopped("The server is stopping."))

    async def _answer_patiently(
        self, queries: Sequence[EmbeddingQuery]
    ) -> list[EmbedContentResponse]:
        async with self._patience.wait(), asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._embed_or_error(query, interactive=True))
                for query in queries
            ]
        responses = []
        for task, query in zip(tasks, queries, strict=True):
            outcome = task.result()
            if isinstance(outcome, TopluError):
                raise outcome
            responses.append(self._response(outcome, query))
        return responses

    async def _embed_or_error(
        self, query: EmbeddingQuery, *, interactive: bool
    ) -> Embedding | TopluError:
        """Return the failure as a value, for a task group would bury it."""
        try:
            return await self._embed(query, interactive=interactive, label=None)
        except TopluError as error:
            return error

    async def _embed(
        self, query: EmbeddingQuery, *, interactive: bool, label: str | None
    ) -> Embedding:
        if self._stopped and interactive:
            raise EngineStopped("The server is stopping.")
        answered: asyncio.Future[Embedding] = asyncio.get_running_loop().create_future()
        text = query.text[:TEXT_CHARACTERS_MAX]
        self._queue.put(WaitingText(text, interactive, answered, label))
        return await answered

    def _response(self, embedding: Embedding, query: EmbeddingQuery) -> EmbedContentResponse:
        return write_embedding(embedding, query, tokens_max=self._model.context_tokens)

    async def _send_groups(self) -> None:
        while True:
            group = await self._queue.take()
            try:
                await self._send(group)
            except asyncio.CancelledError:
                for waiting in group:
                    if waiting.interactive:
                        _fail(waiting, EngineStopped("The server is stopping."))
                raise
            except EngineDied:
                self._suspect(group)
            except EngineStopped:
                # The fleet ends, and this task with it.
                await asyncio.Event().wait()
            except TopluError as error:
                self._retry_alone(group, error)
            except Exception:
                log.exception("embedding_crashed", engine=self._model.name)
                self._retry_alone(group, Internal("The embedding failed on the server's side."))

    async def _send(self, group: list[WaitingText]) -> None:
        # Only who brought an engine down, or was there, goes with nobody else in the engine.
        async with self._quarantine.pass_through(alone=group[0].crashes > 0):
            engine = await self._supervisor.ready()
            try:
                embeddings = await engine.embed([waiting.text for waiting in group])
            except EngineDied:
                # Before the next group is let in, so that it is not sent to the dead engine.
                self._supervisor.report_death(engine)
                raise
        for waiting, embedding in zip(group, embeddings, strict=True):
            if not waiting.answered.done():
                waiting.answered.set_result(embedding)

    def _suspect(self, group: list[WaitingText]) -> None:
        log.warning("texts_suspected", engine=self._model.name, texts=len(group))
        for waiting in group:
            waiting.crashes += 1
            waiting.alone = True
            if waiting.crashes >= self._crashes_max:
                log.error("request_condemned", engine=self._model.name, label=waiting.label)
                _fail(
                    waiting,
                    Internal(f"The engine crashed {waiting.crashes} times on this request."),
                )
            else:
                self._queue.put(waiting)

    def _retry_alone(self, group: list[WaitingText], error: TopluError) -> None:
        if len(group) == 1 or isinstance(error, Unavailable):
            # Its own fault, or nobody's: going again alone would change nothing.
            for waiting in group:
                _fail(waiting, error)
            return
        for waiting in group:
            waiting.alone = True
            self._queue.put(waiting)


def _fail(waiting: WaitingText, error: TopluError) -> None:
    if not waiting.answered.done():
        waiting.answered.set_exception(error)
