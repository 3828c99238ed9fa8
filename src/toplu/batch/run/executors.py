"""An executor answers the requests of a job, by its method: generate or embed.

    line ── form.read ──▶ request ── executor.answer ──▶ response ── jsonl.write_result ──▶ line

Everything else of a job's life is the same for all of them.
"""

from collections.abc import Callable
from typing import Any, Protocol

from toplu.caches.keeper import CacheKeeper
from toplu.errors import TopluError
from toplu.files.attachments import Attachments
from toplu.fleet.embedding.pool import EmbeddingPool
from toplu.fleet.fleet import Fleet
from toplu.fleet.pool import Pool
from toplu.fleet.work import Answer, Answered, Tier
from toplu.job import ProjectId
from toplu.settings.server import Kind, ModelSettings
from toplu.wire.gemini.content import GenerateContentRequest
from toplu.wire.gemini.embedding import EmbedContentRequest


class Executor(Protocol):
    """Answers the requests of the jobs of one engine."""

    @property
    def lanes(self) -> int:
        """The number of lanes with a prefix of their own; one where that makes no difference."""
        ...

    @property
    def window(self) -> int:
        """The number of requests that keep a lane busy."""
        ...

    @property
    def share_cache(self) -> bool:
        """Whether a prefix that one request has read is there for all."""
        ...

    def is_reserved(self, lane: int) -> bool:
        """Return whether the lane is kept for interactive calls at the moment."""
        ...

    async def answer(
        self,
        request: Any,
        *,
        project: ProjectId,
        model: str,
        label: str,
        lane: int,
        begun: Callable[[], None] | None = None,
    ) -> Answered:
        """Answer a request of the project, or raise the TopluError that is its outcome.

        EngineGivenUp and EngineStopped alone are no outcome.
        `model` is the name that the batch asked for. `begun` is called when the prompt is read, if
        that is known before the end.
        """
        ...

    async def may_copy(self, request: Any, *, project: ProjectId, model: str) -> bool:
        """Return whether the response is right for equal requests too, which are deterministic."""
        ...


class GenerationExecutor:
    """Answers of a model that generates; a request may refer to what its project keeps."""

    def __init__(
        self, pool: Pool[Any], attachments: Attachments, caches: CacheKeeper, *, share_cache: bool
    ) -> None:
        self._pool = pool
        self._attachments = attachments
        self._caches = caches
        self.share_cache = share_cache

    @property
    def lanes(self) -> int:
        return 1 if self.share_cache else self._pool.lanes

    @property
    def window(self) -> int:
        return self._pool.window * self._pool.lanes // self.lanes

    def is_reserved(self, lane: int) -> bool:
        return not self.share_cache and self._pool.is_reserved(lane)

    async def answer(
        self,
        request: GenerateContentRequest,
        *,
        project: ProjectId,
        model: str,
        label: str,
        lane: int,
        begun: Callable[[], None] | None = None,
    ) -> Answered:
        work = Answer(
            request=request,
            resolve=self._attachments.of_project(project),
            project=project,
            cached=await self._caches.of_request(request, project=project, model=model),
            tier=Tier.BATCH,
            label=label,
            lane=None if self.share_cache else lane,
            begun=begun if self.share_cache else None,
        )
        return await self._pool.run(work)

    async def may_copy(
        self, request: GenerateContentRequest, *, project: ProjectId, model: str
    ) -> bool:
        try:
            cached = await self._caches.of_request(request, project=project, model=model)
        except TopluError:
            return False  # the cache went meanwhile, and each request gets its error
        # What a tool of the cache finds may have changed.
        return cached is None or all(tool.only_declares for tool in cached.request.tools or ())


class EmbeddingExecutor:
    """Answers of a model that embeds; its requests are text alone."""

    lanes = 1
    share_cache = False

    def __init__(self, pool: EmbeddingPool) -> None:
        self._pool = pool

    @property
    def window(self) -> int:
        return self._pool.window

    def is_reserved(self, lane: int) -> bool:  # noqa: ARG002  # there is one
        return False

    async def answer(
        self,
        request: EmbedContentRequest,
        *,
        project: ProjectId,  # noqa: ARG002  # nothing of it is referred to
        model: str,  # noqa: ARG002  # only caches are of one name
        label: str,
        lane: int,  # noqa: ARG002  # there is one
        begun: Callable[[], None] | None = None,  # noqa: ARG002  # nothing is reused
    ) -> Answered:
        return Answered.of(await self._pool.answer(request, interactive=False, label=label))

    async def may_copy(
        self,
        request: EmbedContentRequest,  # noqa: ARG002  # a vector follows from its text
        *,
        project: ProjectId,  # noqa: ARG002
        model: str,  # noqa: ARG002
    ) -> bool:
        return True


def executor_of(
    model: ModelSettings, *, fleet: Fleet, attachments: Attachments, caches: CacheKeeper
) -> Executor:
    """Return the executor of the jobs of a catalogue model."""
    match model.kind:
        case Kind.GENERATION:
            return GenerationExecutor(
                fleet.pool(model.name), attachments, caches, share_cache=model.shared_cache
            )
        case Kind.EMBEDDING:
            return EmbeddingExecutor(fleet.embedding_pool(model.name))
