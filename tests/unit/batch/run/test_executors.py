"""An answer is copied to equal requests only where each of them would have been given the same."""

from typing import Any

import pytest

from toplu.batch.run.executors import EmbeddingExecutor, GenerationExecutor
from toplu.engines.translation.cached_prefix import CachedPrefix
from toplu.errors import PermissionDenied
from toplu.job import ProjectId
from toplu.settings.model import ModelSettings
from toplu.wire.gemini.content import GenerateContentRequest
from toplu.wire.gemini.embedding import EmbedContentRequest
from toplu.wire.gemini.tool import FunctionDeclaration, GoogleSearch, Tool

PROJECT = ProjectId("default")
MODEL = ModelSettings(name="m", engine="echo")


class OneCache:
    """A library in which every request finds the same."""

    def __init__(self, tools: list[Tool] | None, *, is_gone: bool = False) -> None:
        self._tools = tools
        self._is_gone = is_gone

    async def of_request(self, request: GenerateContentRequest, **_: Any) -> CachedPrefix | None:
        if self._is_gone:
            raise PermissionDenied("CachedContent not found (or permission denied)")
        if request.cached_content is None:
            return None
        contents = GenerateContentRequest(tools=self._tools)
        return CachedPrefix(id="c", request=contents, model=MODEL, tokens=1)


@pytest.mark.parametrize(
    ("cache", "cached", "may_copy"),
    [
        (OneCache(None), None, True),
        (OneCache(None), "cachedContents/c", True),
        (OneCache([Tool(function_declarations=[FunctionDeclaration(name="f")])]), "c", True),
        (OneCache([Tool(google_search=GoogleSearch())]), "c", False),
        (OneCache(None, is_gone=True), "c", False),
    ],
)
async def test_what_a_cache_has_decides_whether_an_answer_is_copied(
    cache: OneCache, cached: str | None, may_copy: bool
) -> None:
    executor = GenerationExecutor(None, None, cache, share_cache=False)  # type: ignore[arg-type]
    request = GenerateContentRequest(cached_content=cached)
    assert await executor.may_copy(request, project=PROJECT, model="m") is may_copy


async def test_a_vector_is_copied() -> None:
    executor = EmbeddingExecutor(None)  # type: ignore[arg-type]
    assert await executor.may_copy(EmbedContentRequest(), project=PROJECT, model="m")
