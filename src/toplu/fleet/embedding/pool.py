"""The way of a text through one embedder, shared by batches and interactive calls.

decode ──▶ queue ──▶ group ──▶ quarantine ──▶ slot ──▶ ready embedder ──▶ embed ──▶ encode
             ▲                                                              │
             └──── in halves, at last alone ◀── failed, lost, or died ──────┘

Texts that wait together travel together. A group that fails goes again in two halves, so that in
the end it is one text that fails. When the engine dies each goes again alone; one that brings it
down every time is condemned, and everybody else is answered. What a remote server did not take
goes again as often as it must, what it did not answer whole a bounded number of times.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import structlog

from toplu.engines.embedder import Embedder, Embedding
from toplu.engines.engine import EngineDied
from toplu.engines.http.fault import AnswerLost, ServerFault
from toplu.engines.translation.embedding_answer import write_embedding
from toplu.engines.translation.embedding_request import EmbeddingQuery, read_query
from toplu.errors import Internal, TopluError, Unavailable
from toplu.fleet.embedding.queue import GROUP_TEXTS_MAX, EmbeddingQueue, WaitingText
from toplu.fleet.embedding.slots import GroupSlots
from toplu.fleet.lanes.claim import Claim, Preempted
from toplu.fleet.lanes.lanes import Slots
from toplu.fleet.lanes.quarantine import Quarantine
from toplu.fleet.lanes.wait_limits import WaitLimits
from toplu.fleet.processes.supervisor import EngineStopped, Supervisor
from toplu.settings.server import ModelSettings, Settings
from toplu.tracing import names
from toplu.tracing.spans import SPANS
from toplu.wire.gemini.embedding import EmbedContentRequest, EmbedContentResponse

log = structlog.get_logger()

# A text is cut before it travels, so that every group is bounded: where no model reads so far.
TEXT_CHARACTERS_MAX = 64 * 1024
CHARACTERS_A_TOKEN = 4
CERTAINTY = 8  # times the characters that a model reads in the mean

GROUPS_AT_ONCE = 2  # one is computed, and one waits behind it in the engine
GROUPS_MAX = 16  # of a batch at the servers of a remote embedder
# So many groups' worth of a batch wait here: the more to choose from, the more alike in length.
GROUPS_WAITING = 2


class EmbeddingPool:
    """Answers requests for one embedding model; `run` does the work."""

    def __init__(
        self,
        *,
        model: ModelSettings,
        supervisor: Supervisor[Embedder],
        settings: Settings,
        slots: Slots | None = None,  # None: those of an engine of our own
    ) -> None:
        self._model = model
        self._supervisor = supervisor
        self._slots = slots or GroupSlots(GROUPS_AT_ONCE)
        self._wait_limits = WaitLimits(
            waiting_max=settings.interactive_waiting_max,
            seconds_max=(
                model.remote.patience_seconds if model.is_remote else settings.request_seconds_max
            ),
            reason=lambda: self.reason,
        )
        self._crashes_max = settings.engine_crashes_per_request_max
        self._losses_max = model.remote.attempts_max
        self._preemptions_max = settings.preemptions_per_request_max
        characters_read = CHARACTERS_A_TOKEN * model.context_tokens
        self._text_characters_max = max(TEXT_CHARACTERS_MAX, CERTAINTY * characters_read)
        self._interactive = EmbeddingQueue(characters_read=characters_read)
        self._batch = EmbeddingQueue(characters_read=characters_read)
        self._quarantine = Quarantine()
        self._stopped = False

    @property
    def window(self) -> int:
        """Return how many batch calls keep the engine busy; more would only wait here."""
        groups = min(self._slots.count * self._slots.window, GROUPS_MAX)
        return (groups + GROUPS_WAITING) * GROUP_TEXTS_MAX

    @property
    def at_work(self) -> tuple[int, int]:
        """Return how many requests run, and how many may."""
        return self._slots.running, self._slots.room

    @property
    def reason(self) -> str:
        """Return why requests only wait; nothing if they do not."""
        return self._slots.reason or self._supervisor.reason

    async def answer(
        self, request: EmbedContentRequest, *, interactive: bool, label: str | None = None
    ) -> EmbedContentResponse:
        """Answer the request, or raise the TopluError that is its outcome.

        EngineGivenUp and EngineStopped alone say nothing about the request. `label` names it in
        the log.
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
        """Send group after group until cancelled; texts that wait then have EngineStopped."""
        try:
            async with asyncio.TaskGroup() as tasks:
                for queue in (self._interactive, self._batch):
                    tasks.create_task(self._send_groups(queue, tasks))
        finally:
            self._stopped = True
            _fail_stopped([*self._interactive.drain(), *self._batch.drain()])

    async def _answer_patiently(
        self, queries: Sequence[EmbeddingQuery]
    ) -> list[EmbedContentResponse]:
        with SPANS.inner("ask engine", {names.ENGINE: self._model.name}):
            return await self._answer_all_patiently(queries)

    async def _answer_all_patiently(
        self, queries: Sequence[EmbeddingQuery]
    ) -> list[EmbedContentResponse]:
        async with self._wait_limits.wait(), asyncio.TaskGroup() as group:
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
        if self._stopped:
            raise EngineStopped("The server is stopping.")
        answered: asyncio.Future[Embedding] = asyncio.get_running_loop().create_future()
        text = query.text[: self._text_characters_max]
        waiting = WaitingText(text, interactive, answered, label, task=query.task)
        self._queue(interactive=interactive).put(waiting)
        embedding = await answered
        return replace(embedding, was_cut=True) if len(text) < len(query.text) else embedding

    def _queue(self, *, interactive: bool) -> EmbeddingQueue:
        return self._interactive if interactive else self._batch

    def _response(self, embedding: Embedding, query: EmbeddingQuery) -> EmbedContentResponse:
        return write_embedding(embedding, query, tokens_max=self._model.context_tokens)

    async def _send_groups(self, queue: EmbeddingQueue, tasks: asyncio.TaskGroup) -> None:
        """Send each group as soon as there is a slot for it; meanwhile the next one grows."""
        while True:
            group = await queue.take()
            placed = asyncio.Event()
            tasks.create_task(self._send_group(group, placed))
            await placed.wait()

    async def _send_group(self, group: list[WaitingText], placed: asyncio.Event) -> None:
        try:
            await self._send(group, placed)
        except asyncio.CancelledError:
            _fail_stopped(group)
            raise
        except EngineDied:
            self._suspect(group)
        except ServerFault as fault:
            self._ask_again(group, fault)
        except EngineStopped:
            _fail_stopped(group)
        except TopluError as error:
            self._fail_or_halve(group, error)
        except Exception:
            log.exception("embedding_crashed", engine=self._model.name)
            self._fail_or_halve(group, Internal("The embedding failed on the server's side."))
        finally:
            placed.set()

    async def _send(self, group: list[WaitingText], placed: asyncio.Event) -> None:
        interactive = group[0].interactive
        claim = Claim(interactive=interactive, preemptions_max=self._preemptions_max)
        # Only texts that brought an engine down, or were there, go with nothing else in the engine.
        async with self._quarantine.pass_through(alone=group[0].crashes > 0):
            while True:
                try:
                    async with self._slots.slot(claim):
                        placed.set()
                        await self._answer(group)
                        return
                except Preempted:
                    log.debug("group_preempted", engine=self._model.name, texts=len(group))

    async def _answer(self, group: list[WaitingText]) -> None:
        engine = await self._supervisor.ready()
        try:
            embeddings = await engine.embed(
                [waiting.text for waiting in group], [waiting.task for waiting in group]
            )
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
            if waiting.crashes >= self._crashes_max:
                log.error("request_condemned", engine=self._model.name, label=waiting.label)
                _fail(
                    waiting,
                    Internal(f"The engine crashed {waiting.crashes} times on this request."),
                )
            else:
                self._put_again([waiting])

    def _ask_again(self, group: list[WaitingText], fault: ServerFault) -> None:
        if not isinstance(fault, AnswerLost):
            self._put_again(group)  # no server has seen it
            return
        log.warning("answer_lost", engine=self._model.name, texts=len(group), reason=fault.message)
        if len(group) == 1:
            group[0].losses += 1
            if group[0].losses < self._losses_max:
                self._put_again(group)
                return
        self._fail_or_halve(group, fault.outcome)

    def _fail_or_halve(self, group: list[WaitingText], error: TopluError) -> None:
        if len(group) == 1 or isinstance(error, Unavailable):
            # Its own fault, or nobody's: fewer texts would change nothing.
            for waiting in group:
                _fail(waiting, error)
            return
        half = len(group) // 2
        self._put_again(group[:half])
        self._put_again(group[half:])

    def _put_again(self, group: list[WaitingText]) -> None:
        self._queue(interactive=group[0].interactive).put_again(group)


def _fail(waiting: WaitingText, error: TopluError) -> None:
    if not waiting.answered.done():
        waiting.answered.set_exception(error)
        waiting.answered.exception()  # its caller may be cancelled before it can ask


def _fail_stopped(group: list[WaitingText]) -> None:
    for waiting in group:
        _fail(waiting, EngineStopped("The server is stopping."))
