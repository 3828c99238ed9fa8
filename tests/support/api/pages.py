"""The page as a browser without JavaScript uses it: links, forms, cookies."""

import html
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2 as httpx

from support.api.local_server import LocalServer
from support.clients import NO_CERTIFICATES
from support.waiting import PATIENCE_SECONDS
from toplu.job import ProjectId

TOKEN = re.compile(r'name="token" value="([0-9a-f]+)"')
TAGS = re.compile(r"<[^>]*>")
SIGN_IN = "/ui/sign-in"


class PageClient:
    """One browser."""

    def __init__(self, http: httpx.Client) -> None:
        self.http = http

    def get(self, path: str, **query: str) -> httpx.Response:
        return self.http.get(path, params=query or None)

    def text(self, path: str, **query: str) -> str:
        """Return the words of a page that is shown."""
        shown = self.get(path, **query)
        assert shown.status_code == 200, (shown.status_code, shown.headers.get("location"))
        return words_of(shown.text)

    def send(self, path: str, *, token: str | None = None, **fields: str) -> httpx.Response:
        """Send a form; `token` is that of the visitor's own forms unless another is given."""
        given = self.token() if token is None else token
        return self.http.post(path, data=fields | {"token": given})

    def upload(self, file: str, content: bytes, **fields: str) -> httpx.Response:
        files = {"file": (file, content)}
        return self.http.post("/ui/new", files=files, data=fields | {"token": self.token()})

    def token(self) -> str:
        found = TOKEN.search(self.get("/ui/new").text)
        assert found is not None, "the page has a form"
        return found[1]

    def sign_in(self, key: str, **query: str) -> httpx.Response:
        return self.http.post(SIGN_IN, params=query or None, data={"key": key})


def words_of(page: str) -> str:
    """Return the text of HTML, with one space between words."""
    return " ".join(html.unescape(TAGS.sub(" ", page)).split())


@contextmanager
def page_of(server: LocalServer, key: str | None = None) -> Iterator[PageClient]:
    """Give a browser at a server, signed in if there is a key."""
    with httpx.Client(
        base_url=server.url, verify=NO_CERTIFICATES, timeout=PATIENCE_SECONDS
    ) as http:
        client = PageClient(http)
        if key is not None:
            assert client.sign_in(key).status_code == 303
        yield client


def new_key(server: LocalServer, project: str, **more: Any) -> str:
    key: str = server.call(server.server.keys.create(ProjectId(project), "test", **more))
    return key
