"""Counts the tokens of single requests, by the model that is to read them.

A text model counts the filled chat template; an embedding model embeds the text and says what it
read. What refuses a request there, a file that is not there say, will refuse it in the batch.
"""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from toplu.batch import paths
from toplu.batch.dry_run.findings import LineFault, SampledLine
from toplu.batch.dry_run.token_estimate import Counted
from toplu.batch.line_formats import FORMS
from toplu.caches.keeper import CacheKeeper
from toplu.errors import (
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    TopluError,
    Unimplemented,
    first_of,
)
from toplu.files.attachments import Attachments
from toplu.fleet.fleet import Fleet
from toplu.fleet.work import CountTokens
from toplu.job import JobId, Method, ProjectId
from toplu.settings.server import Kind, ModelSettings
from toplu.store.blobs.blobs import Blobs
from toplu.wire.gemini.content import CountTokensResponse
from toplu.wire.gemini.token_usage import usage_of

GROUP_LINES = 64  # that are read at a time
AT_ONCE = 8  # counts that an engine works on together
# What is the request's own fault; anything else says nothing of it.
FAULTS = (FailedPrecondition, InvalidArgument, NotFound, PermissionDenied, Unimplemented)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The batch whose requests are counted; its input is kept under its id."""

    id: JobId
    project: ProjectId
    name: str  # of the model, as the client asked for it
    model: ModelSettings

    @property
    def tokens_max(self) -> int | None:
        """The most that a prompt may have, None if that is not known, or it is cut."""
        is_known = self.method is Method.GENERATE and not self.model.is_remote
        return self.model.context_tokens - 1 if is_known else None

    @property
    def method(self) -> Method:
        return Method.EMBED if self.model.kind is Kind.EMBEDDING else Method.GENERATE


@dataclass(slots=True)
class Sample:
    """The requests that were counted, and those that cannot be."""

    counted: list[Counted] = field(default_factory=list)
    faults: list[LineFault] = field(default_factory=list)

    def __iadd__(self, other: "Sample") -> Self:
        self.counted += other.counted
        self.faults += other.faults
        return self


class TokenSampler:
    """Has the engines of this process count."""

    def __init__(
        self, *, fleet: Fleet, attachments: Attachments, caches: CacheKeeper, blobs: Blobs
    ) -> None:
        self._fleet = fleet
        self._attachments = attachments
        self._caches = caches
        self._blobs = blobs

    async def count(self, asked: Asked, lines: Sequence[SampledLine]) -> Sample:
        """Return the tokens of each of the lines; Unavailable: the engine cannot count now."""
        sample = Sample()
        turns = asyncio.Semaphore(AT_ONCE)
        for group in _groups(lines):
            pieces = [(line.offset, line.length) for line in group]
            texts = await self._blobs.read_pieces(paths.input_lines(asked.id), pieces)

            async def count_one(line: SampledLine, text: bytes) -> None:
                async with turns:
                    await self._add(sample, asked, line, text)

            await _all(count_one(line, text) for line, text in zip(group, texts, strict=True))
        return sample

    async def _add(self, sample: Sample, asked: Asked, line: SampledLine, text: bytes) -> None:
        read = FORMS[asked.method].read(text, line.number)
        try:
            tokens = await self._tokens(asked, read.request)
            if asked.tokens_max is not None and tokens > asked.tokens_max:
                raise _too_long(line, tokens, asked.tokens_max)
        except FAULTS as error:
            sample.faults.append(LineFault.of(error, line.number, read.key, read.metadata))
        else:
            sample.counted.append(Counted(line.text_bytes, tokens))

    async def _tokens(self, asked: Asked, request: Any) -> int:
        if asked.method is Method.EMBED:
            pool = self._fleet.embedding_pool(asked.model.name)
            return usage_of(await pool.answer(request, interactive=True)).prompt_tokens
        work = CountTokens(
            request=request,
            resolve=self._attachments.of_project(asked.project),
            cached=await self._caches.of_request(request, project=asked.project, model=asked.name),
            project=asked.project,
        )
        return _total_of(await self._fleet.pool(asked.model.name).run(work))


async def _all(counts: Any) -> None:
    """Return when all have been counted; the first failure ends the others and is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            for count in counts:
                group.create_task(count)
    except* TopluError as failures:
        raise first_of(failures) from None


def _groups(lines: Sequence[SampledLine]) -> Iterator[Sequence[SampledLine]]:
    for first in range(0, len(lines), GROUP_LINES):
        yield lines[first : first + GROUP_LINES]


def _too_long(line: SampledLine, tokens: int, most: int) -> InvalidArgument:
    return InvalidArgument(
        f"Error on line {line.number}: the input token count ({tokens}) exceeds the maximum number "
        f"of tokens allowed ({most})."
    )


def _total_of(response: Any) -> int:
    if isinstance(response, CountTokensResponse):
        return response.total_tokens
    total = response.get("totalTokens")  # as a server that speaks the Gemini API says it
    return total if isinstance(total, int) else 0
