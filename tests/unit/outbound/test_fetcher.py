"""Only what the operator allows is fetched, within its bounds, and nothing that is not public."""

from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from support.address_server import HERE, AddressServer, Page
from support.bucket import running_bucket
from toplu.errors import FailedPrecondition, InvalidArgument, PermissionDenied, TopluError
from toplu.outbound.fetcher import Fetcher
from toplu.settings.outbound import InputSettings


def fetcher_of(*allow: str, **settings: Any) -> Fetcher:
    usual = {"plain_http": True, "allowed_networks": HERE}
    return Fetcher(InputSettings(allow=allow, **usual | settings))


@pytest.mark.parametrize(
    "uri",
    [
        "https://data.example.com/one/a.pdf",
        "https://DATA.example.com:443/one/deep/a.pdf?X-Signature=abc",
        "https://data.example.com/one/a%20b.pdf",
        "https://data.example.com/shared.csv",
    ],
)
def test_what_begins_as_an_entry_is_allowed(uri: str) -> None:
    fetcher = fetcher_of(
        "https://data.example.com/{project}/", "https://data.example.com/shared.csv"
    )
    assert fetcher.allows("one", uri)


@pytest.mark.parametrize(
    "uri",
    [
        "https://data.example.com/two/a.pdf",
        "https://data.example.com/one/../two/a.pdf",
        "https://data.example.com/one/%2e%2e/two/a.pdf",
        "https://data.example.com/one/..%2ftwo/a.pdf",
        "https://data.example.com/one/..\\two/a.pdf",
        "https://data.example.com/onetwo/a.pdf",
        "https://data.example.com/shared.csv.old",
        "https://data.example.com/shared.csv/a",
        "https://data.example.com:8443/one/a.pdf",
        "https://data.example.com.evil.org/one/a.pdf",
        "https://data.example.com@evil.org/one/a.pdf",
        "http://data.example.com/one/a.pdf",
        "https://[/one/a.pdf",
        "https://data.example.com:99999/one/a.pdf",
        "files/abc",
        "",
    ],
)
def test_all_else_is_not(uri: str) -> None:
    fetcher = fetcher_of(
        "https://data.example.com/{project}/", "https://data.example.com/shared.csv"
    )
    assert not fetcher.allows("one", uri)


def test_nothing_is_allowed_unless_the_operator_says_so() -> None:
    assert not Fetcher(InputSettings()).allows("one", "https://data.example.com/a")


async def test_bytes_type_and_etag_are_given_and_the_query_is_not_told() -> None:
    headers = {"Content-Type": "text/csv", "ETag": '"v1"'}
    with AddressServer({"/a": Page(body=b"x" * 300_000, headers=headers)}) as server:
        uri = f"{server.url}/a?signature=secret"
        async with fetcher_of(f"{server.url}/").opened("one", uri, "uri") as fetched:
            body = b"".join([chunk async for chunk in fetched.chunks])
        asked, sent = server.asked[0]
    assert body == b"x" * 300_000
    assert fetched.mime_type == "text/csv"
    assert (fetched.origin.uri, fetched.origin.etag) == (f"{server.url}/a", '"v1"')
    assert asked == "/a?signature=secret"
    assert not {"authorization", "cookie", "x-goog-api-key"} & sent.keys()


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        (Page(status=302, headers={"Location": "/b"}), "302, and redirects are not followed"),
        (Page(status=404), "it answered 404"),
        (Page(body=b"x", headers={"Content-Encoding": "gzip"}), "encoded as gzip"),
    ],
)
async def test_what_does_not_come_as_it_is_says_why(page: Page, reason: str) -> None:
    with AddressServer({"/a": page, "/b": Page(body=b"elsewhere")}) as server:
        with pytest.raises(FailedPrecondition, match=reason):
            await fetcher_of(f"{server.url}/").read("one", f"{server.url}/a", "uri")
        assert [path for path, _ in server.asked] == ["/a"]


async def test_no_more_bytes_come_than_the_limit() -> None:
    with AddressServer({"/a": Page(body=b"x" * 11)}) as server:
        fetcher = fetcher_of(f"{server.url}/", bytes_max=10)
        with pytest.raises(InvalidArgument, match="more than 10 bytes"):
            await fetcher.read("one", f"{server.url}/a", "uri")


@pytest.mark.parametrize(
    ("host", "error"),
    [("127.0.0.1", InvalidArgument), ("localhost", InvalidArgument)],
)
async def test_an_address_that_is_not_public_is_not_asked(
    host: str, error: type[TopluError]
) -> None:
    with AddressServer({"/a": Page(body=b"secret")}) as server:
        url = server.url.replace("127.0.0.1", host)
        fetcher = fetcher_of(f"{url}/", allowed_networks=())
        with pytest.raises(error, match="not a public"):
            await fetcher.read("one", f"{url}/a", "uri")
        assert server.asked == []


async def test_what_is_not_listed_is_a_403_that_does_not_tell_its_query() -> None:
    with pytest.raises(PermissionDenied, match=r"inputs\.allow") as raised:
        await fetcher_of().read("one", "https://example.com/a?signature=secret", "uri")
    assert "secret" not in str(raised.value)


@pytest.mark.system
async def test_an_object_is_fetched_with_the_operators_credentials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testkey")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testsecret123")
    with running_bucket(tmp_path) as bucket:
        body = Request(f"{bucket.endpoint}/{bucket.name}/one/a.csv", data=b"a,b\n", method="PUT")
        body.add_header("Content-Type", "text/csv")
        urlopen(body).close()
        fetcher = fetcher_of("s3://toplu-tests/{project}/", s3_endpoint=bucket.endpoint)
        async with fetcher.opened("one", "s3://toplu-tests/one/a.csv", "uri") as fetched:
            assert b"".join([chunk async for chunk in fetched.chunks]) == b"a,b\n"
        assert fetched.mime_type == "text/csv"
        assert fetched.origin.uri == "s3://toplu-tests/one/a.csv"
        assert fetched.origin.etag is not None
        with pytest.raises(FailedPrecondition, match="it is not there"):
            await fetcher.read("one", "s3://toplu-tests/one/b.csv", "uri")
        with pytest.raises(PermissionDenied):
            await fetcher.read("one", "s3://toplu-tests/two/a.csv", "uri")
        small = fetcher_of("s3://toplu-tests/{project}/", s3_endpoint=bucket.endpoint, bytes_max=3)
        with pytest.raises(InvalidArgument, match="more than 3 bytes"):
            await small.read("one", "s3://toplu-tests/one/a.csv", "uri")
