"""Requests that carry documents or refer to uploaded files, by every call."""

import base64
import io
import json
from datetime import timedelta
from typing import Any

import httpx2 as httpx
import pytest
from google import genai
from google.genai import types

from support.api.batch_calls import (
    create_from_file,
    create_inline,
    finish,
    result_lines,
    text_of,
    upload_lines,
)
from support.api.local_server import LocalServer, OpenServer, http_of
from support.api.stream_calls import events_of
from support.api.upload_calls import upload_raw
from support.fake_clock import FakeClock
from support.pdf_files import encrypted_pdf, pdf_of
from toplu.job import ProjectId

FLASH = "gemini-2.5-flash"
MODEL = f"/v1beta/models/{FLASH}"
MISSING = "You do not have permission to access the File {} or it may not exist."


@pytest.fixture(scope="module")
def server(shared_server: LocalServer) -> LocalServer:
    return shared_server


@pytest.fixture
def two_projects(open_test_server: OpenServer) -> tuple[LocalServer, str, str]:
    """A server with two projects, and a key of each."""
    server = open_test_server()
    keys = [
        server.call(server.server.keys.create(ProjectId(name), "test")) for name in ("one", "two")
    ]
    return server, keys[0], keys[1]


def asking(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"contents": [{"role": "user", "parts": list(parts)}]}


def inline(data: bytes, mime_type: str | None = "text/plain", **fields: Any) -> dict[str, Any]:
    blob = {"data": base64.b64encode(data).decode(), "mimeType": mime_type} | fields
    return {"inlineData": {name: value for name, value in blob.items() if value is not None}}


def naming(uri: str, mime_type: str | None = None) -> dict[str, Any]:
    return {"fileData": {"fileUri": uri} | ({"mimeType": mime_type} if mime_type else {})}


def shown(text: str, mime_type: str, name: str | None = None) -> str:
    named = f' name="{name}"' if name else ""
    return f'<document{named} type="{mime_type}">\n{text}\n</document>'


def answer(http: httpx.Client, request: dict[str, Any]) -> str:
    reply = http.post(f"{MODEL}:generateContent", json=request)
    assert reply.status_code == 200, reply.text
    return text_of(reply.json())


def refusal(http: httpx.Client, request: dict[str, Any]) -> tuple[int, str]:
    reply = http.post(f"{MODEL}:generateContent", json=request)
    assert reply.status_code != 200, reply.text
    return reply.status_code, reply.json()["error"]["message"]


@pytest.mark.parametrize(
    ("part", "text"),
    [
        (inline(b"a b"), shown("a b", "text/plain")),
        (inline(b"a,b\n", "text/csv", displayName="t.csv"), shown("a,b", "text/csv", "t.csv")),
        (inline(b"<h1>Hi</h1><p>you", "text/html"), shown("# Hi\n\nyou", "text/html")),
        (inline(pdf_of("Pages"), "application/pdf"), shown("Pages", "application/pdf")),
        (
            {"inline_data": {"mime_type": "text/plain", "data": "w7_Dvw"}},
            shown("ÿÿ", "text/plain"),
        ),
    ],
)
def test_an_inline_document_is_read_in_the_place_of_its_part(
    http: httpx.Client, part: dict[str, Any], text: str
) -> None:
    assert answer(http, asking({"text": "Read"}, part, {"text": "now"})) == f"Read\n{text}\nnow"


def test_a_file_is_found_by_its_name_and_by_any_address_of_it(http: httpx.Client) -> None:
    file = upload_raw(http, b"in a file")
    uris = [
        file["uri"],
        file["name"],
        f"https://generativelanguage.googleapis.com/v1beta/{file['name']}",
        f"http://else.where:99/v1/{file['name']}",
    ]
    for uri in uris:
        assert answer(http, asking(naming(uri))) == shown("in a file", "text/plain")


def test_streams_and_counts_read_the_same_documents(http: httpx.Client) -> None:
    file = upload_raw(http, b"one two three")
    request = asking(naming(file["uri"], "text/plain"), {"text": "four"})
    whole = answer(http, request)
    reply = http.post(f"{MODEL}:streamGenerateContent?alt=sse", json=request)
    assert "".join(text_of(chunk) for chunk in events_of(reply.text)) == whole
    for body in (request, {"generateContentRequest": request}):
        counted = http.post(f"{MODEL}:countTokens", json=body)
        assert counted.json()["totalTokens"] == len(whole.split())
    stream = http.post(f"{MODEL}:streamGenerateContent", json=asking(naming("files/none")))
    assert stream.status_code == 403


def test_a_line_of_a_batch_refers_to_uploaded_files(http: httpx.Client) -> None:
    pdf = upload_raw(http, pdf_of("Of a PDF"), "application/pdf")
    requests = {
        "uri": asking(naming(pdf["uri"], "application/pdf"), {"text": "?"}),
        "name": asking({"file_data": {"file_uri": pdf["name"]}}),
        "missing": asking(naming("files/not-there")),
        "image": asking(inline(b"x", "image/png")),
        "inline": asking(inline(b"carried")),
    }
    lines = [json.dumps({"key": key, "request": asked}) for key, asked in requests.items()]
    name = create_from_file(http, upload_lines(http, (line.encode() for line in lines))).json()
    done = finish(http, name["name"])
    results = {line["key"]: line for line in result_lines(http, done)}
    read = shown("Of a PDF", "application/pdf")
    assert text_of(results["uri"]["response"]) == f"{read}\n?"
    assert text_of(results["name"]["response"]) == read
    assert results["missing"]["error"] == {"code": 7, "message": MISSING.format("not-there")}
    assert results["image"]["error"]["code"] == 12
    assert text_of(results["inline"]["response"]) == shown("carried", "text/plain")


def test_the_sdk_asks_about_files_that_it_uploaded(client: genai.Client) -> None:
    files = [
        client.files.upload(
            file=io.BytesIO(content), config={"mime_type": mime_type, "display_name": name}
        )
        for content, mime_type, name in [
            (pdf_of("The year is 1998."), "application/pdf", "report.pdf"),
            (b"notes", "text/plain", "notes.txt"),
        ]
    ]
    reply = client.models.generate_content(model=FLASH, contents=[*files, "Which year?"])
    assert reply.text == "\n".join(
        [
            shown("The year is 1998.", "application/pdf", "report.pdf"),
            shown("notes", "text/plain", "notes.txt"),
            "Which year?",
        ]
    )
    part = types.Part.from_bytes(data=b"by hand", mime_type="text/markdown")
    reply = client.models.generate_content(model=FLASH, contents=[part])
    assert reply.text == shown("by hand", "text/markdown")


def test_files_of_another_project_are_as_missing_as_none(
    two_projects: tuple[LocalServer, str, str],
) -> None:
    server, one, two = two_projects
    with http_of(server, one) as mine, http_of(server, two) as theirs:
        file = upload_raw(mine, b"secret")
        file_id = file["name"].removeprefix("files/")
        request = asking(naming(file["uri"]))
        assert answer(mine, request) == shown("secret", "text/plain")
        assert refusal(theirs, request) == (403, MISSING.format(file_id))
        done = finish(theirs, create_inline(theirs, [{"request": request}])["name"])
        (result,) = done["response"]["inlinedResponses"]["inlinedResponses"]
        assert result["error"] == {"code": 7, "message": MISSING.format(file_id)}


def test_an_expired_or_deleted_file_is_missing_though_it_was_read(
    open_test_server: OpenServer,
) -> None:
    clock = FakeClock()
    with http_of(open_test_server(clock=clock)) as http:
        files = [upload_raw(http, b"for a while") for _ in range(2)]
        requests = [asking(naming(file["uri"])) for file in files]
        for request in requests:
            assert answer(http, request) == shown("for a while", "text/plain")
        assert http.delete(f"/v1beta/{files[0]['name']}").status_code == 200
        assert refusal(http, requests[0])[0] == 403
        clock.advance(timedelta(hours=48))
        file_id = files[1]["name"].removeprefix("files/")
        assert refusal(http, requests[1]) == (403, MISSING.format(file_id))


NOTHING_ELSE = (
    "file_uri must be the name (files/…) or the URI of an uploaded file, or an address that the "
    "operator of this server allows (inputs.allow); nothing else is fetched."
)
PREFIX = "* GenerateContentRequest.contents[0].parts[0]."


@pytest.mark.parametrize(
    ("part", "status", "message"),
    [
        (
            inline(b"x", "application/zip"),
            400,
            f"{PREFIX}inline_data: Unsupported MIME type: application/zip\n",
        ),
        (inline(b"x", None), 400, f"{PREFIX}inline_data: mime_type must be set.\n"),
        (inline(b""), 400, f"{PREFIX}inline_data: data must not be empty.\n"),
        (
            inline(encrypted_pdf(), "application/pdf"),
            400,
            f"{PREFIX}inline_data: is a PDF that is encrypted.\n",
        ),
        (
            inline(b"x") | {"text": "y"},
            400,
            f"{PREFIX}inline_data: oneof field 'data' is already set.\n",
        ),
        (
            naming("gs://bucket/file"),
            400,
            f"{PREFIX}file_data: {NOTHING_ELSE}\n",
        ),
        (
            inline(b"x", "image/jpeg"),
            501,
            "contents[0].parts[0].inlineData is image/jpeg, and the model echo does not see.",
        ),
        (
            naming("files/x", "video/mp4"),
            501,
            "contents[0].parts[0].fileData is video/mp4, and this server does not serve video.",
        ),
        (naming("files/x"), 403, MISSING.format("x")),
    ],
)
def test_what_is_not_read_is_refused_with_its_place(
    http: httpx.Client, part: dict[str, Any], status: int, message: str
) -> None:
    assert refusal(http, asking(part)) == (status, message)


def test_a_type_that_is_not_the_files_own_is_refused(http: httpx.Client) -> None:
    file = upload_raw(http, b"plain", "text/plain")
    status, message = refusal(http, asking(naming(file["uri"], "application/pdf")))
    assert (status, message) == (
        400,
        f"{PREFIX}file_data: mime_type is application/pdf, but the file is text/plain.\n",
    )
    assert answer(http, asking(naming(file["uri"], "text/x-c"))) == shown("plain", "text/x-c")
    # An upload may say nothing of its bytes; then the part has to.
    bare = upload_raw(http, b"bytes", "application/octet-stream")
    assert refusal(http, asking(naming(bare["uri"])))[0] == 400
    assert answer(http, asking(naming(bare["uri"], "text/plain"))) == shown("bytes", "text/plain")


def test_the_limits_hold_for_all_documents_of_a_request(open_test_server: OpenServer) -> None:
    server = open_test_server(document_characters_max=10, request_documents_max=2)
    with http_of(server) as http:
        assert answer(http, asking(inline(b"12345"), inline(b"67890")))
        status, message = refusal(http, asking(inline(b"12345"), inline(b"678901")))
        assert status == 400
        assert message.startswith("* GenerateContentRequest.contents[0].parts[1].inline_data: ")
        status, message = refusal(http, asking(*[inline(b"1")] * 3))
        assert (status, "3 documents; at most 2" in message) == (400, True)
