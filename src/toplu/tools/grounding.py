"""Grounded answering: search for the question, put what was found before it, mark the answer.

    request ──▶ queries ──▶ provider ──▶ pages ──▶ prompt with quotes ──▶ engine ──▶ marked answer

The queries are the questions in the last text of the user, three at most: its sentences that end
in a question mark, or, without one, the whole text. The model has no part in it, so that the
same request always searches for the same.
"""

import asyncio
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from msgspec.structs import replace

from toplu.engines.prompt import Prompt, Turn
from toplu.errors import DeadlineExceeded
from toplu.settings.server import ModelSettings, SearchSettings
from toplu.tools.quoting import fit_pages, quote_pages
from toplu.tools.search import Page, SearchProvider
from toplu.wire.gemini.content import GenerateContentRequest

QUERIES_MAX = 3
QUERY_CHARACTERS_MAX = 256
SEARCHES_MAX = 16  # requests that search at the same time
SENTENCE = re.compile(r"(?:[^.!?？。！\n]|[.!](?!\s|$))+[?？]*")  # noqa: RUF001  # wide stops
QUESTION_MARKS = ("?", "？")  # noqa: RUF001  # the wide one


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The queries and results of one request; the pages as they were quoted."""

    queries: tuple[str, ...]
    pages: tuple[Page, ...]


class Grounded(msgspec.Struct, frozen=True, kw_only=True):
    """A prompt as the engine gets it, with what was put into it."""

    prompt: Prompt
    asked: tuple[Turn, ...]  # the conversation without what was put into it
    evidence: Evidence | None = None  # None: the request asks for no search


class Grounder:
    """Searches for the requests that ask for it."""

    def __init__(self, *, provider: SearchProvider, settings: SearchSettings) -> None:
        self._provider = provider
        self._results_max = settings.results_max
        self._timeout_seconds = settings.timeout_seconds
        self._slots = asyncio.Semaphore(SEARCHES_MAX)

    async def ground(
        self, request: GenerateContentRequest, prompt: Prompt, model: ModelSettings
    ) -> Grounded:
        """Return the prompt with what a search has found, if the request asks for one.

        The quotes have half as many bytes as the model has tokens of context. No token is less
        than a byte, so the question and the answer have the other half at least.
        """
        if not any(tool.searches for tool in request.tools or ()):
            return Grounded(prompt=prompt, asked=prompt.turns)
        queries = read_queries(prompt.turns)
        found = await self._search(queries)
        pages = fit_pages(found[: self._results_max], bytes_max=model.context_tokens // 2)
        quoted = replace(prompt, turns=quote_pages(prompt.turns, pages))
        evidence = Evidence(queries=queries, pages=tuple(pages))
        return Grounded(prompt=quoted, asked=prompt.turns, evidence=evidence)

    async def _search(self, queries: Sequence[str]) -> list[Page]:
        """Return what all queries find, the best of each first."""
        try:
            async with asyncio.timeout(self._timeout_seconds), self._slots:
                # One after another: they share one index or one server, and are quick.
                found = [await self._provider.search(query, self._results_max) for query in queries]
        except TimeoutError as error:
            raise DeadlineExceeded(
                f"The search took more than {self._timeout_seconds:g} seconds."
            ) from error
        by_rank = itertools.chain.from_iterable(itertools.zip_longest(*found))
        return list({page.uri: page for page in by_rank if page is not None}.values())


def read_queries(turns: Sequence[Turn]) -> tuple[str, ...]:
    """Return what to search for; nothing if the user has written nothing."""
    text = next((turn.text for turn in reversed(turns) if turn.role == "user"), "")
    sentences = (found[0] for found in SENTENCE.finditer(text))
    questions = [_squeezed(each) for each in sentences if _asks(each)]
    queries = dict.fromkeys(questions or [_squeezed(text)])
    return tuple(query for query in queries if query)[:QUERIES_MAX]


def _asks(sentence: str) -> bool:
    return sentence.endswith(QUESTION_MARKS) and any(map(str.isalnum, sentence))


def _squeezed(text: str) -> str:
    """Return the text on one line, cut between words."""
    line = " ".join(text.split())
    if len(line) <= QUERY_CHARACTERS_MAX:
        return line
    cut = line[: QUERY_CHARACTERS_MAX + 1]
    return cut.rpartition(" ")[0] or cut[:QUERY_CHARACTERS_MAX]
