"""The contract of whatever finds pages, and a memory of what it found."""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from urllib.parse import urlsplit

from toplu.clock import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page that was found, with the passage of it that answers the query best."""

    title: str
    uri: str
    text: str

    @property
    def domain(self) -> str:
        """Return the host that the page is on, or nothing."""
        try:
            return urlsplit(self.uri).hostname or ""
        except ValueError:
            return ""


class SearchProvider(Protocol):
    """Finds pages for a query.

    It raises FailedPrecondition, with what the operator has to do, if it is not set up, and
    Unavailable if it cannot search at the moment. What it finds is nobody's word: not checked,
    not safe to repeat as it is. A cancelled search stops.
    """

    async def search(self, query: str, count: int) -> list[Page]:
        """Return at most `count` pages, the best first, each page once; none is no error."""
        ...

    async def aclose(self) -> None:
        """Let go of everything."""
        ...


class RememberingSearch:
    """A provider that does not ask again for what it has just found."""

    def __init__(
        self, provider: SearchProvider, *, clock: Clock, life: timedelta, entries_max: int
    ) -> None:
        self._provider = provider
        self._clock = clock
        self._life = life
        self._entries_max = entries_max
        self._found: OrderedDict[tuple[str, int], tuple[datetime, list[Page]]] = OrderedDict()

    async def search(self, query: str, count: int) -> list[Page]:
        key = (query, count)
        if (known := self._found.get(key)) is not None and self._clock.now() < known[0]:
            self._found.move_to_end(key)
            return known[1]
        pages = await self._provider.search(query, count)
        self._found[key] = (self._clock.now() + self._life, pages)
        self._found.move_to_end(key)
        if len(self._found) > self._entries_max:
            self._found.popitem(last=False)
        return pages

    async def aclose(self) -> None:
        self._found.clear()
        await self._provider.aclose()
