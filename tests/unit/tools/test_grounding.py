import asyncio
from datetime import timedelta

import pytest

from support.fake_clock import FakeClock
from toplu.engines.prompt import Prompt, Sampling, Turn
from toplu.errors import DeadlineExceeded, Unavailable
from toplu.settings.server import ModelSettings, SearchSettings
from toplu.tools.grounding import Grounder, read_queries
from toplu.tools.search import Page, RememberingSearch
from toplu.wire.gemini.content import Content, GenerateContentRequest, Part
from toplu.wire.gemini.tool import GoogleSearch, GoogleSearchRetrieval, Tool

MODEL = ModelSettings(name="m", engine="echo", context_tokens=120)
SAMPLING = Sampling(temperature=0, top_p=1, top_k=0, output_tokens_max=9)


class ScriptedSearch:
    """Finds a page for each letter of the query, or does what the test says."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.away = False
        self.endless = False

    async def search(self, query: str, count: int) -> list[Page]:
        self.asked.append(query)
        if self.away:
            raise Unavailable("away")
        if self.endless:
            await asyncio.Event().wait()
        return [Page(title=letter, uri=f"u:{letter}", text=letter * 40) for letter in query][:count]

    async def aclose(self) -> None:
        pass


def a_prompt(text: str) -> Prompt:
    return Prompt(turns=(Turn("user", text),), sampling=SAMPLING)


def asking(text: str, *tools: Tool) -> GenerateContentRequest:
    return GenerateContentRequest(contents=[Content(parts=[Part(text=text)])], tools=list(tools))


SEARCH = Tool(google_search=GoogleSearch())


async def grounded(text: str, *tools: Tool, provider: ScriptedSearch | None = None, **settings):
    provider = provider or ScriptedSearch()
    grounder = Grounder(provider=provider, settings=SearchSettings(**settings))
    return await grounder.ground(asking(text, *tools), a_prompt(text), MODEL)


@pytest.mark.parametrize(
    ("text", "queries"),
    [
        ("Who won the euro 2025?", ("Who won the euro 2025?",)),
        ("I am Ann. Who won?  And\twhere? Who won?", ("Who won?", "And where?")),
        ("a? b? c? d?", ("a?", "b?", "c?")),
        ("Is 3.5 more than 3? Ask e.g. Ann!", ("Is 3.5 more than 3?",)),
        pytest.param("x " * 10**6 + "." * 10**6 + "y?", ("x " * 127 + "x",), id="endless"),
        ("Tell me of\nclouds.", ("Tell me of clouds.",)),
        ("?? ?", ("?? ?",)),
        ("word " * 100, ("word " * 50 + "word",)),
        ("x" * 300, ("x" * 256,)),
        ("猫は何ですか？ 犬も。", ("猫は何ですか？",)),  # noqa: RUF001  # a wide mark
        (" \n", ()),
    ],
)
def test_the_questions_of_the_last_text_are_the_queries(text: str, queries: tuple[str, ...]):
    turns = (Turn("user", "Old?"), Turn("assistant", "Yes?"), Turn("user", text))
    assert tuple(query.strip() for query in read_queries(turns)) == queries


async def test_a_request_without_search_is_left_alone():
    found = await grounded("x", Tool(function_declarations=[]))
    assert found.prompt == a_prompt("x")
    assert found.evidence is None


@pytest.mark.parametrize("tool", [SEARCH, Tool(google_search_retrieval=GoogleSearchRetrieval())])
async def test_what_every_query_finds_is_taken_in_turn(tool: Tool):
    found = await grounded("ab? xb?", tool, results_max=4)
    assert [page.title for page in found.evidence.pages] == ["a", "x", "b", "?"]
    assert found.asked == a_prompt("ab? xb?").turns
    assert found.prompt.turns[-1].text.endswith("[Question]\nab? xb?")
    # Half as many bytes of quotes as the model has tokens.
    assert 2 * sum(len(page.text) for page in found.evidence.pages) == MODEL.context_tokens


async def test_a_search_that_takes_too_long_is_the_outcome():
    provider = ScriptedSearch()
    provider.endless = True
    with pytest.raises(DeadlineExceeded, match=r"more than 0\.01 seconds"):
        await grounded("x", SEARCH, provider=provider, timeout_seconds=0.01)


async def test_a_search_that_fails_is_the_outcome():
    provider = ScriptedSearch()
    provider.away = True
    with pytest.raises(Unavailable, match="away"):
        await grounded("x", SEARCH, provider=provider)


async def test_what_was_found_is_remembered_for_its_time_and_no_longer():
    clock, provider = FakeClock(), ScriptedSearch()
    search = RememberingSearch(provider, clock=clock, life=timedelta(seconds=300), entries_max=2)
    assert await search.search("a", 5) == await search.search("a", 5)
    assert provider.asked == ["a"]
    await search.search("a", 6)  # another number is another search
    clock.advance(timedelta(seconds=300))
    await search.search("a", 5)
    assert provider.asked == ["a"] * 3
    for query in ("b", "c", "a"):
        await search.search(query, 5)
    assert provider.asked == ["a", "a", "a", "b", "c", "a"]  # only two are remembered


async def test_a_failed_search_is_not_remembered():
    provider = ScriptedSearch()
    search = RememberingSearch(
        provider, clock=FakeClock(), life=timedelta(seconds=300), entries_max=2
    )
    provider.away = True
    with pytest.raises(Unavailable):
        await search.search("a", 5)
    provider.away = False
    assert await search.search("a", 5)
