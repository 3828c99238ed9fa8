"""Search by a SearXNG server, through its JSON API."""

import aiohttp
import msgspec

from toplu.errors import Unavailable
from toplu.tools.search import Page

HTTP_OK = 200
HTTP_FORBIDDEN = 403
BODY_BYTES_MAX = 4 * 1024 * 1024
CONNECTIONS_MAX = 16
COMMAND_MARKS = "!:<?"  # of a word that SearXNG obeys
URI_CHARACTERS_MAX = 2000
TEXT_CHARACTERS_MAX = 10_000


class Result(msgspec.Struct, frozen=True):
    """One result; SearXNG sends more, differently in each version."""

    url: str = ""
    title: str | None = None
    content: str | None = None


class Answer(msgspec.Struct, frozen=True):
    """SearXNG's answer to a query."""

    results: list[Result]
    unresponsive_engines: list[list[str]] = []


class SearxngSearch:
    """One SearXNG server."""

    def __init__(self, url: str) -> None:
        self._url = f"{url.rstrip('/')}/search"
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=CONNECTIONS_MAX),
            # Whoever asks decides how long to wait.
            timeout=aiohttp.ClientTimeout(total=None),
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def search(self, query: str, count: int) -> list[Page]:
        answer = await self._ask(query)
        pages: dict[str, Page] = {}
        for result in answer.results:
            text = (result.content or "")[:TEXT_CHARACTERS_MAX].strip()
            if text and _is_web_address(result.url):
                title = (result.title or result.url)[:TEXT_CHARACTERS_MAX].strip()
                pages.setdefault(result.url, Page(title=title, uri=result.url, text=text))
        if not pages and answer.unresponsive_engines:
            reasons = ", ".join(": ".join(engine) for engine in answer.unresponsive_engines)
            raise Unavailable(f"The search server's engines do not answer ({reasons}).")
        return list(pages.values())[:count]

    async def aclose(self) -> None:
        await self._session.close()

    async def _ask(self, query: str) -> Answer:
        # As a form, because a query may be longer than a URL may be.
        form = {"q": without_commands(query), "format": "json"}
        try:
            async with self._session.post(self._url, data=form, allow_redirects=False) as response:
                if response.status == HTTP_FORBIDDEN:
                    raise Unavailable(
                        "The search server refuses JSON: `search.formats` of its settings has to "
                        "have `json`, and its limiter has to let this server pass."
                    )
                if response.status != HTTP_OK:
                    raise Unavailable(f"The search server answers with status {response.status}.")
                body = await _read_bounded(response.content)
            return msgspec.json.decode(body, type=Answer)
        except (aiohttp.ClientError, OSError) as error:
            raise Unavailable("The search server cannot be reached.") from error
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Unavailable("The search server does not speak SearXNG's JSON.") from error


def without_commands(query: str) -> str:
    """Return the query without what would choose an engine, a language or a time-out."""
    return " ".join(word.lstrip(COMMAND_MARKS) for word in query.split())


def _is_web_address(url: str) -> bool:
    """Return whether the page's address may be used as a link."""
    return url.startswith(("https://", "http://")) and len(url) <= URI_CHARACTERS_MAX


async def _read_bounded(content: aiohttp.StreamReader) -> bytes:
    body = bytearray()
    async for piece in content.iter_any():
        body += piece
        if len(body) > BODY_BYTES_MAX:
            raise Unavailable(f"The search server sends more than {BODY_BYTES_MAX} bytes.")
    return bytes(body)
