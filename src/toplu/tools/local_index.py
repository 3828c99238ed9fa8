"""Search in the operator's own documents: works offline, and nothing leaves the machine."""

import asyncio

from toplu.errors import FailedPrecondition
from toplu.store.search_index import SearchIndex
from toplu.tools.search import Page
from toplu.tools.words import telling_words

SET_UP = (
    "Search is not set up on this server: nothing has been added to its index. The operator adds "
    "a folder of documents with `toplu search add PATH`, or chooses a SearXNG server in the "
    "settings ([search] provider and url)."
)


class LocalIndex:
    """The passages that `toplu search add` has put there, as a search provider."""

    def __init__(self, passages: SearchIndex) -> None:
        self._passages = passages

    async def search(self, query: str, count: int) -> list[Page]:
        if not await asyncio.to_thread(self._passages.exist):
            raise FailedPrecondition(SET_UP)
        words = list(dict.fromkeys(telling_words(query)))
        found = await self._passages.find(words, count)
        return [Page(title=each.title, uri=each.uri, text=each.text) for each in found]

    async def aclose(self) -> None:
        pass
