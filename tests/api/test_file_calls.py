"""Kept files: their names and metadata, lists, downloads, limits and their end."""

import base64
import hashlib
import io
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from google import genai
from google.genai import errors, types

from support.api.local_server import LocalServer, OpenServer, http_of
from support.api.upload_calls import (
    assert_refused_for_good,
    begin,
    begin_upload,
    download,
    send,
    upload_raw,
)
from support.fake_clock import FakeClock

TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
MISSING = "You do not have permission to access the File {} or it may not exist."


@pytest.fixture(scope="module")
def server(shared_server: LocalServer) -> LocalServer:
    return shared_server


def keep(http: httpx.Client, content: bytes = b"x", **file: str) -> dict[str, Any]:
    """Upload the content under the metadata and return the File."""
    url = begin_upload(http, len(content), file)
    reply = send(http, url, "upload, finalize", content, offset=0)
    assert reply.status_code == 200, reply.text
    return reply.json()["file"]


def test_a_file_says_everything_of_itself(server: LocalServer, http: httpx.Client) -> None:
    file = keep(http, b"hello", displayName="My Input", mimeType="jsonl")
    assert re.fullmatch(r"files/[a-z0-9]{12}", file["name"])
    digest = hashlib.sha256(b"hello").hexdigest()
    assert file == {
        "name": file["name"],
        "displayName": "My Input",
        "mimeType": "jsonl",
        "sizeBytes": "5",
        "createTime": file["createTime"],
        "updateTime": file["createTime"],
        "expirationTime": file["expirationTime"],
        "sha256Hash": base64.b64encode(digest.encode()).decode(),
        "uri": f"{server.url}/v1beta/{file['name']}",
        "state": "ACTIVE",
        "source": "UPLOADED",
    }
    times = [file[name] for name in ("createTime", "updateTime", "expirationTime")]
    assert all(TIMESTAMP.fullmatch(time) for time in times)
    created, _, expires = (datetime.fromisoformat(time) for time in times)
    assert expires - created == timedelta(hours=48)
    assert http.get(f"/v1beta/{file['name']}").json() == file


def test_times_have_six_fraction_digits_on_the_full_second(open_test_server: OpenServer) -> None:
    server = open_test_server(clock=FakeClock())
    with http_of(server) as http:
        file = upload_raw(http, b"x")
    assert file["createTime"] == "2026-11-22T12:00:00.000000Z"
    assert file["expirationTime"] == "2026-11-24T12:00:00.000000Z"


@pytest.mark.parametrize("name", ["my-name", "files/a", "0" * 40, "files/batch-1"])
def test_a_client_may_name_its_file_once(http: httpx.Client, name: str) -> None:
    file = keep(http, name=name)
    file_id = name.removeprefix("files/")
    assert file["name"] == f"files/{file_id}"
    taken = begin(http, 1, {"name": name})
    assert taken.status_code == 409
    assert taken.json()["error"] == {
        "code": 409,
        "message": f"{file_id} already exists.",
        "status": "ALREADY_EXISTS",
    }
    assert http.delete(f"/v1beta/{file['name']}").json() == {}
    assert keep(http, name=name)["name"] == file["name"]


def test_of_two_uploads_for_one_name_the_later_end_fails(http: httpx.Client) -> None:
    first, second = (begin_upload(http, 1, {"name": "contested"}) for _ in range(2))
    assert send(http, first, "upload, finalize", b"1", offset=0).status_code == 200
    late = send(http, second, "upload, finalize", b"2", offset=0)
    assert_refused_for_good(late, 409, "ALREADY_EXISTS")
    assert download(http, "files/contested") == b"1"


@pytest.mark.parametrize(
    "name", ["UPPER", "-a", "a-", "a_b", "a/b", "files/", "0" * 41, "ü", "a b", f"batch-{'a' * 34}"]
)
def test_a_bad_name_is_refused(http: httpx.Client, name: str) -> None:
    reply = begin(http, 1, {"name": name})
    assert reply.status_code == 400
    assert "CreateFileRequest.file.name" in reply.json()["error"]["message"]


def test_a_display_name_has_512_characters_at_most(http: httpx.Client) -> None:
    assert keep(http, displayName="ü" * 512)["displayName"] == "ü" * 512
    assert begin(http, 1, {"displayName": "ü" * 513}).status_code == 400
    assert "displayName" not in keep(http)


@pytest.mark.parametrize(
    "mime_type", ["jsonl", "application/jsonl", "text/plain; charset=utf-8", "application/x-ndjson"]
)
def test_a_mime_type_is_kept_as_sent(http: httpx.Client, mime_type: str) -> None:
    assert keep(http, mimeType=mime_type)["mimeType"] == mime_type
    headers = {"X-Goog-Upload-Header-Content-Type": mime_type}
    url = begin(http, 0, {}, headers=headers).headers["X-Goog-Upload-URL"]
    assert send(http, url, "finalize").json()["file"]["mimeType"] == mime_type


@pytest.mark.parametrize(
    "mime_type", ["text/", "/plain", "a b", "text/plain\nX: y", "x" * 300, "bad/mime_type"]
)
def test_a_malformed_mime_type_is_unsupported(http: httpx.Client, mime_type: str) -> None:
    reply = begin(http, 1, {"mimeType": mime_type})
    assert reply.status_code == 400
    assert "Unsupported MIME" in reply.json()["error"]["message"]


def test_the_sdk_names_reads_and_deletes_a_file(client: genai.Client) -> None:
    config = types.UploadFileConfig(name="mine", display_name="Mine", mime_type="text/plain")
    file = client.files.upload(file=io.BytesIO(b"mine"), config=config)
    assert (file.name, file.display_name, file.mime_type) == ("files/mine", "Mine", "text/plain")
    assert (file.state, file.source) == (types.FileState.ACTIVE, types.FileSource.UPLOADED)
    assert client.files.get(name="mine") == client.files.get(name=file.name)
    assert client.files.download(file="files/mine") == b"mine"
    with pytest.raises(errors.ClientError) as caught:
        client.files.upload(file=io.BytesIO(b"mine"), config=config)
    assert (caught.value.code, caught.value.status) == (409, "ALREADY_EXISTS")
    client.files.delete(name=file.name)
    with pytest.raises(errors.ClientError) as caught:
        client.files.get(name=file.name)
    assert caught.value.code == 403


def test_both_download_paths_give_the_bytes_as_they_are(http: httpx.Client) -> None:
    content = bytes(range(256)) * 2000
    file = upload_raw(http, content, "text/html")
    name = file["name"]
    for path in (
        f"/v1/{name}:download?alt=media",
        f"/v1beta/{name}:download",
        f"/download/v1beta/{name}:download?alt=media",
        f"/download/v1/{name}%3Adownload",
        # What one SDK makes of a URI that is not https.
        f"/v1/files/{file['uri']}:download?alt=media",
    ):
        reply = http.get(path)
        assert (reply.status_code, reply.content == content) == (200, True), path
        # Nobody's upload is run by a browser.
        assert reply.headers["Content-Type"] == "application/octet-stream"
        assert reply.headers["X-Content-Type-Options"] == "nosniff"
        assert "Content-Encoding" not in reply.headers


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1beta/files/nothing"),
        ("DELETE", "/v1beta/files/nothing"),
        ("GET", "/v1beta/files/nothing:download?alt=media"),
        ("GET", "/download/v1beta/files/nothing:download?alt=media"),
    ],
)
def test_a_missing_file_is_one_that_nobody_may_see(
    http: httpx.Client, method: str, path: str
) -> None:
    reply = http.request(method, path)
    assert reply.status_code == 403
    assert reply.json() == {
        "error": {"code": 403, "message": MISSING.format("nothing"), "status": "PERMISSION_DENIED"}
    }


@pytest.mark.parametrize("suffix", ["", ":download"])
def test_an_id_of_more_than_forty_characters_is_refused(http: httpx.Client, suffix: str) -> None:
    assert http.get(f"/v1beta/files/{'a' * 40}{suffix}").status_code == 403
    reply = http.get(f"/v1beta/files/{'a' * 41}{suffix}")
    assert reply.status_code == 400
    assert reply.json()["error"]["message"] == (
        "* GetFileRequest.name: File ID (name excluding 'files/') cannot be more than 40 "
        "characters.\n"
    )


def test_lists_show_the_newest_first_and_no_page_is_empty(open_test_server: OpenServer) -> None:
    with http_of(open_test_server()) as http:
        assert http.get("/v1beta/files").json() == {}
        names = [upload_raw(http, b"x")["name"] for _ in range(12)][::-1]
        for size, expected_pages in ((4, 3), (5, 3), (12, 1), (1000, 1), (0, 2)):
            pages, token = [], ""
            while True:
                query = {"pageSize": size} | ({"pageToken": token} if token else {})
                page = http.get("/v1beta/files", params=query).json()
                pages.append([file["name"] for file in page["files"]])
                if (token := page.get("nextPageToken", "")) == "":
                    break
            assert [name for page in pages for name in page] == names
            assert len(pages) == expected_pages
        assert http.get("/v1beta/files?pageSize=-1").status_code == 400
        assert http.get("/v1beta/files?pageSize=ten").status_code == 400
        assert http.get("/v1beta/files?pageToken=nonsense").status_code == 400


def test_the_sdk_pages_through_files(client: genai.Client, http: httpx.Client) -> None:
    names = [upload_raw(http, b"x")["name"] for _ in range(5)][::-1]
    listed = [file.name for file in client.files.list(config={"page_size": 2})]
    assert listed[:5] == names
    assert len(listed) == len(set(listed))


@pytest.mark.in_folder
def test_a_file_lives_48_hours_and_goes_with_its_bytes(
    open_test_server: OpenServer, tmp_path: Path
) -> None:
    def kept() -> bool:
        files = (path for path in (tmp_path / "data").rglob("*") if path.is_file())
        return any(path.read_bytes() == b"short lived" for path in files)

    clock = FakeClock()
    server = open_test_server(clock=clock)
    with http_of(server) as http:
        name = upload_raw(http, b"short lived")["name"]
        clock.advance(timedelta(hours=47, minutes=59))
        server.call(server.server.pipeline.tidy())
        assert download(http, name) == b"short lived"
        assert kept()
        clock.advance(timedelta(minutes=1))
        reply = http.get(f"/v1beta/{name}")
        assert reply.status_code == 403
        assert reply.json()["error"]["message"] == MISSING.format(name.removeprefix("files/"))
        assert http.get("/v1beta/files").json() == {}
        server.call(server.server.pipeline.tidy())
        assert not kept()


def test_a_project_keeps_only_so_many_bytes(open_test_server: OpenServer) -> None:
    with http_of(open_test_server(project_bytes_max=10)) as http:
        first = keep(http, b"123456")
        declared = begin(http, 5)
        assert declared.status_code == 429
        assert declared.json()["error"]["status"] == "RESOURCE_EXHAUSTED"
        url = begin_upload(http)
        late = send(http, url, "upload, finalize", b"12345", offset=0)
        assert_refused_for_good(late, 429, "RESOURCE_EXHAUSTED")
        http.delete(f"/v1beta/{first['name']}")
        assert keep(http, b"1234567890")["sizeBytes"] == "10"


def test_a_project_has_only_so_many_open_uploads(open_test_server: OpenServer) -> None:
    with http_of(open_test_server(open_uploads_max=2)) as http:
        first, second = begin_upload(http, 1), begin_upload(http, 1)
        refused = begin(http, 1)
        assert refused.status_code == 429
        assert refused.json()["error"]["status"] == "RESOURCE_EXHAUSTED"
        send(http, first, "cancel")
        third = begin_upload(http, 1)
        for url in (second, third):
            send(http, url, "upload, finalize", b"1", offset=0)
        assert begin(http, 1).status_code == 200
