"""Web pages elsewhere cannot use a server through a browser, unless the operator lists them."""

from collections.abc import Iterator
from pathlib import Path

import httpx2 as httpx
import pytest

from support.api.batch_calls import asking
from support.api.local_server import ECHO, LocalServer, http_of
from support.api.upload_calls import begin, send
from toplu.job import ProjectId
from toplu.settings.server import Settings

GENERATE = "/v1beta/models/gemini-2.5-flash:generateContent"
CANCEL = "/v1beta/batches/x:cancel"  # the specification has it as a GET
PAGES = ("/docs", "/openapi.json", "/docs/static/swagger-ui.css")
WATCHED = ("/healthz", "/readyz")
EVIL = "http://evil.example"
FRIEND = "https://app.example"


def started(folder: Path, **settings: object) -> LocalServer:
    defaults = {"data_dir": folder / "data", "models": (ECHO,), "drain_seconds": 0.1}
    return LocalServer(Settings(**defaults | settings))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    """A server that accepts any key, with no further setting."""
    with started(tmp_path_factory.mktemp("keyless")) as running:
        yield running


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    """One that accepts any key as well, with names and origins listed."""
    with started(
        tmp_path_factory.mktemp("known"),
        host="127.0.0.1",
        public_url="https://batch.example/gemini",
        allowed_hosts=("Inner.Example", "[fd00::1]"),
        allowed_origins=(FRIEND, "HTTP://localhost:80"),
    ) as running:
        yield running


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Calls with a key on a server that needs one."""
    with started(tmp_path_factory.mktemp("keyed"), allowed_origins=(FRIEND,)) as running:
        key = running.call(running.server.keys.create(ProjectId("alpha"), "test"))
        with http_of(running, key) as http:
            yield http


def port_of(server: LocalServer) -> str:
    return server.url.rpartition(":")[2]


def refused(reply: httpx.Response, setting: str) -> bool:
    if reply.status_code != 403:
        return False
    error = reply.json()["error"]
    assert error["status"] == "PERMISSION_DENIED"
    assert setting in error["message"]
    assert "access-control-allow-origin" not in reply.headers
    return True


# A page whose own name was made to point here (DNS rebinding)


@pytest.mark.parametrize("path", ["/v1beta/models", "/v1/files", "/nothing", *PAGES])
@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8765", "127.0.0.1.evil.example", "8.8.8.8", "", "a@b"]
)
def test_a_host_that_is_no_name_of_this_server_is_refused(
    http: httpx.Client, path: str, host: str
) -> None:
    reply = http.get(path, headers={"Host": host, "Sec-Fetch-Site": "same-origin"})
    assert refused(reply, "allowed_hosts")
    assert f'"{host}"' in reply.json()["error"]["message"]


def test_every_call_of_such_a_page_is_refused(http: httpx.Client) -> None:
    rebound = {"Host": "evil.example", "Origin": "http://evil.example"}
    assert refused(http.post(GENERATE, json=asking("hello"), headers=rebound), "allowed_hosts")
    url = begin(http, 4).headers["X-Goog-Upload-URL"]
    assert refused(http.post(url, content=b"abcd", headers=rebound), "allowed_hosts")
    assert refused(http.get("/download/v1beta/files/x:download", headers=rebound), "allowed_hosts")
    assert send(http, url, "upload, finalize", b"abcd", offset=0).status_code == 200


def test_a_host_of_many_characters_is_not_repeated_whole(http: httpx.Client) -> None:
    reply = http.get("/docs", headers={"Host": "x" * 10_000})
    assert refused(reply, "allowed_hosts")
    assert len(reply.text) < 1000


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:1", "localhost.", "127.0.0.1", "127.9.9.9:80", "[::1]", "[0:0::1]:5"],
)
def test_loopback_names_are_accepted(http: httpx.Client, host: str) -> None:
    for path in ("/v1beta/models", "/docs"):
        assert http.get(path, headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", ["inner.example", "inner.example:99", "[FD00:0::1]:8765"])
def test_listed_hosts_and_that_of_the_public_url_are_accepted(
    known: LocalServer, host: str
) -> None:
    with http_of(known) as http:
        for name in (host, "batch.example", "127.0.0.1"):
            assert http.get("/v1beta/models", headers={"Host": name}).status_code == 200
        for name in ("sub.inner.example", "fd00::1", "example"):
            reply = http.get("/v1beta/models", headers={"Host": name})
            assert refused(reply, "allowed_hosts")


@pytest.mark.parametrize("path", WATCHED)
def test_monitors_call_by_any_name(http: httpx.Client, path: str) -> None:
    assert http.get(path, headers={"Host": "10.0.0.7:8765"}).status_code in (200, 503)


def test_with_keys_calls_have_any_host_and_pages_do_not(keyed: httpx.Client) -> None:
    rebound = {"Host": "evil.example"}
    assert keyed.get("/v1beta/models", headers=rebound).status_code == 200
    reply = keyed.post(GENERATE, json=asking("hello"), headers=rebound)
    assert reply.status_code == 200
    # What makes this safe: a page that was rebound has no key.
    bare = keyed.get("/v1beta/models", headers=rebound | {"x-goog-api-key": ""})
    assert "unregistered callers" in bare.json()["error"]["message"]
    for path in PAGES:
        assert refused(keyed.get(path, headers=rebound), "allowed_hosts")
        assert keyed.get(path).status_code == 200


# A page that stays where it is (cross-site request forgery)

FOREIGN = (
    EVIL,
    "https://evil.example:8765",
    "http://127.0.0.1",  # another port is another origin
    "http://localhost:3000",
    "null",
    "file://",
    "chrome-extension://abcdef",
    "",
)


@pytest.mark.parametrize("origin", FOREIGN)
def test_a_foreign_origin_is_refused(http: httpx.Client, origin: str) -> None:
    headers = {"Origin": origin}
    # No browser asks before it sends such a body.
    text = headers | {"Content-Type": "text/plain"}
    reply = http.post(f"{GENERATE}?key=any", content=b'{"contents": []}', headers=text)
    assert refused(reply, "allowed_origins")
    assert f'"{origin}"' in reply.json()["error"]["message"]
    assert refused(http.get(CANCEL, headers=headers), "allowed_origins")
    assert refused(http.get("/docs", headers=headers), "allowed_origins")


@pytest.mark.parametrize("path", [CANCEL, "/v1beta/models", *PAGES])
def test_a_call_across_sites_is_refused_without_an_origin_too(
    http: httpx.Client, path: str
) -> None:
    # An image or a link: browsers send no origin with these.
    reply = http.get(f"{path}?key=any", headers={"Sec-Fetch-Site": "cross-site"})
    assert refused(reply, "allowed_origins")


@pytest.mark.parametrize("headers", [{"Origin": EVIL}, {"Sec-Fetch-Site": "cross-site"}])
def test_a_key_does_not_help_a_foreign_page(keyed: httpx.Client, headers: dict[str, str]) -> None:
    reply = keyed.post(GENERATE, json=asking("hello"), headers=headers)
    assert refused(reply, "allowed_origins")


@pytest.mark.parametrize("site", ["same-origin", "same-site", "none", None])
def test_pages_of_this_server_may_call_it(
    server: LocalServer, http: httpx.Client, site: str | None
) -> None:
    sent = {} if site is None else {"Sec-Fetch-Site": site}
    for origin, host in (
        (server.url, server.url.removeprefix("http://")),
        (f"http://localhost:{port_of(server)}", f"localhost:{port_of(server)}"),
        ("http://localhost", "localhost:80"),
        ("https://localhost", "localhost"),  # behind a proxy that speaks TLS
        ("HTTP://[::1]:80", "[0::1]"),
    ):
        headers = sent | {"Origin": origin, "Host": host}
        assert http.post(GENERATE, json=asking("hello"), headers=headers).status_code == 200


def test_pages_at_the_public_url_may_call_it(known: LocalServer) -> None:
    with http_of(known) as http:
        # A proxy that does not pass the host on.
        headers = {"Origin": "https://batch.example", "Sec-Fetch-Site": "same-origin"}
        reply = http.post(GENERATE, json=asking("hello"), headers=headers)
        assert reply.status_code == 200
        for other in ("http://batch.example", "https://batch.example:8443"):
            reply = http.post(GENERATE, json=asking("hello"), headers={"Origin": other})
            assert refused(reply, "allowed_origins")


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/json", "application/x-www-form-urlencoded", None]
)
def test_programs_are_accepted_whatever_they_say_their_body_is(
    http: httpx.Client, content_type: str | None
) -> None:
    body = b'{"contents": [{"parts": [{"text": "hello"}]}]}'
    headers = {} if content_type is None else {"Content-Type": content_type}
    assert http.post(GENERATE, content=body, headers=headers).status_code == 200


# Pages that the operator lists


def preflight(origin: str) -> dict[str, str]:
    return {
        "Origin": origin,
        "Sec-Fetch-Site": "cross-site",
        "Access-Control-Request-Method": "DELETE",
        "Access-Control-Request-Headers": "x-goog-api-key,x-goog-upload-command",
    }


@pytest.mark.parametrize("origin", [FRIEND, "http://localhost"])
def test_a_listed_origin_may_call(known: LocalServer, origin: str) -> None:
    with http_of(known) as http:
        headers = {"Origin": origin, "Sec-Fetch-Site": "cross-site"}
        reply = http.post(GENERATE, json=asking("hello"), headers=headers)
        assert reply.status_code == 200
        assert reply.headers["access-control-allow-origin"] == origin
        assert "Origin" in reply.headers["vary"]
        # What an upload needs to read.
        assert reply.headers["access-control-expose-headers"] == "*"
        missing = http.get("/v1beta/batches/x", headers=headers)
        assert missing.status_code == 404
        assert missing.headers["access-control-allow-origin"] == origin


def test_a_browser_that_asks_first_is_answered_without_a_key(
    known: LocalServer, keyed: httpx.Client
) -> None:
    with http_of(known, key=None) as keyless:
        asked = (
            keyless.options("/v1beta/files/x", headers=preflight(FRIEND)),
            keyed.options("/v1beta/files/x", headers=preflight(FRIEND) | {"x-goog-api-key": ""}),
        )
    for reply in asked:
        assert reply.status_code == 200
        assert reply.headers["access-control-allow-origin"] == FRIEND
        assert "DELETE" in reply.headers["access-control-allow-methods"]
        allowed = reply.headers["access-control-allow-headers"]
        assert allowed == "x-goog-api-key,x-goog-upload-command"


def test_a_browser_that_asks_for_another_page_is_refused(
    http: httpx.Client, keyed: httpx.Client, known: LocalServer
) -> None:
    with http_of(known) as listed:
        for client in (http, keyed, listed):
            reply = client.options("/v1beta/files/x", headers=preflight(EVIL))
            assert refused(reply, "allowed_origins")


def test_a_listed_origin_does_not_open_the_server_to_another_host(known: LocalServer) -> None:
    with http_of(known) as http:
        headers = {"Origin": FRIEND, "Host": "evil.example"}
        assert refused(http.get("/v1beta/models", headers=headers), "allowed_hosts")


def test_the_first_key_ends_the_check_of_calls(tmp_path: Path) -> None:
    with started(tmp_path) as running, http_of(running) as http:
        foreign = {"Host": "10.0.0.7"}
        assert refused(http.get("/v1beta/models", headers=foreign), "allowed_hosts")
        key = running.call(running.server.keys.create(ProjectId("alpha"), "test"))
        with_key = foreign | {"x-goog-api-key": key}
        assert http.get("/v1beta/models", headers=with_key).status_code == 200
