"""Answers of other batches for the requests of one engine."""

from typing import Any

from toplu.batch.provenance.model_facts import FactReader
from toplu.batch.reuse.kept_answers import KeptAnswers
from toplu.batch.reuse.request_digest import request_digest
from toplu.engines.translation.copied_answer import copy_of
from toplu.files.library import Library
from toplu.fleet.work import Answered
from toplu.job import Job
from toplu.money import Usage
from toplu.wire.gemini.token_usage import usage_of


class Reuse:
    """Knows requests by their digests, and finds what was answered before."""

    def __init__(self, *, facts: FactReader, library: Library, kept: KeptAnswers) -> None:
        self._facts = facts
        self._library = library
        self._kept = kept

    async def digest(self, job: Job, request: Any) -> bytes | None:
        """Return the digest of a request that others may have the answer to, else None."""
        facts = await self._facts.read()
        if facts is None:
            return None
        return await request_digest(
            job, request, model=self._facts.model, facts=facts, library=self._library
        )

    async def find(self, job: Job, digest: bytes) -> Answered | None:
        """Return the answer that a batch of the project has, as one more request gets it."""
        response = await self._kept.find(job, digest)
        if response is None:
            return None
        usage = Usage(reused_requests=1, reused_tokens=usage_of(response).total_tokens)
        return Answered(response=copy_of(response), usage=usage)
