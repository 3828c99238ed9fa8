"""Digests of requests that have one right answer: equal where it is the same.

What is told apart: the request, the contents of the files that it names, the name of the model, and
what is behind that name.
"""

import hashlib
from collections.abc import Sequence

import msgspec

from toplu.batch.plan.sort_key import digest_of
from toplu.batch.provenance.model_facts import ModelFacts
from toplu.engines.translation.media import find_attached, with_read
from toplu.errors import TopluError
from toplu.files.library import Library
from toplu.files.part_source import FILE_URI
from toplu.job import Job, ProjectId
from toplu.settings.model import ModelSettings
from toplu.store.blobs.records import DIGEST_BYTES
from toplu.wire.gemini.content import GenerateContentRequest
from toplu.wire.gemini.embedding import EmbedContentRequest

AnyRequest = GenerateContentRequest | EmbedContentRequest
Named = list[Sequence[object]]  # what is known of each file that a request names


async def request_digest(
    job: Job, request: AnyRequest, *, model: ModelSettings, facts: ModelFacts, library: Library
) -> bytes | None:
    """Return the digest; None: no answer but its own is right for the request."""
    named: Named | None = []
    if isinstance(request, GenerateContentRequest):
        named = await _named_files(job.project, request, library)
        if named is None:
            return None
        request = with_read(request, {str(path): [""] for path, *_ in named})
    own = digest_of(request, batch_model=job.model, model=model, deduplication="deterministic")
    if own is None:
        return None
    known = [facts, job.model, job.method, named]
    return hashlib.blake2b(msgspec.json.encode(known) + own, digest_size=DIGEST_BYTES).digest()


async def _named_files(
    project: ProjectId, request: GenerateContentRequest, library: Library
) -> Named | None:
    """Return where the request names files, as what, and their contents; None: nobody knows them.

    What an address has may have changed since.
    """
    named: Named = []
    for it in find_attached(request):
        data = it.part.file_data
        if data is None:
            continue
        if FILE_URI.fullmatch(data.file_uri or "") is None:
            return None
        try:
            file = await library.get(project, data.file_uri or "")
        except TopluError:
            return None  # it gets its error when it is answered
        title = data.display_name or file.display_name
        named.append((it.path, file.sha256, file.mime_type, data.mime_type, title))
    return named
