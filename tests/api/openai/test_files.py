"""Files through OpenAI's SDK: forms in any order, ranges, pages, and their ends."""

from typing import Any

import httpx2 as httpx
import openai
import pytest
from openai.types import FileObject

from support.api.local_server import OpenServer
from support.api.openai_calls import CHAT_MODEL, openai_client, openai_http, strictly
from support.clients import sdk_client

CONTENT = b"one\ntwo\nthree\n"


@pytest.fixture
def file_id(sdk: Any) -> str:
    return str(sdk.files.create(file=("a name.txt", CONTENT), purpose="user_data").id)


def test_a_file_is_kept_as_it_was_sent(http: httpx.Client, file_id: str, sdk: Any) -> None:
    found = strictly(FileObject, http.get(f"/files/{file_id}").json())
    assert (found.bytes, found.filename, found.purpose) == (14, "a name.txt", "user_data")
    assert found.created_at < (found.expires_at or 0)
    assert sdk.files.content(file_id).read() == CONTENT


def test_the_fields_of_the_form_may_stand_behind_the_file(http: httpx.Client) -> None:
    boundary = "xyz"
    parts = [
        ('name="file"; filename="x.jsonl"', "line\r\nline"),
        ('name="purpose"', "batch"),
        ('name="expires_after[anchor]"', "created_at"),
        ('name="expires_after[seconds]"', "3600"),
    ]
    body = "".join(
        f"--{boundary}\r\nContent-Disposition: form-data; {names}\r\n\r\n{value}\r\n"
        for names, value in parts
    )
    reply = http.post(
        "/files",
        content=f"{body}--{boundary}--\r\n",
        headers={"Content-Type": f"multipart/form-data; boundary={boundary}"},
    )
    assert reply.status_code == 200, reply.text
    file = reply.json()
    assert (file["bytes"], file["purpose"]) == (10, "batch")
    assert file["expires_at"] - file["created_at"] == 3600


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ("bytes=4-6", (206, b"two", "bytes 4-6/14")),
        ("bytes=8-", (206, b"three\n", "bytes 8-13/14")),
        ("bytes=-6", (206, b"three\n", "bytes 8-13/14")),
        ("bytes=4-99", (206, b"two\nthree\n", "bytes 4-13/14")),
        ("bytes=0-", (200, CONTENT, None)),
        ("bytes=0-1,4-5", (200, CONTENT, None)),
        ("lines=1", (200, CONTENT, None)),
        ("bytes=14-", (416, None, None)),
    ],
)
def test_a_part_of_a_file_is_read(
    http: httpx.Client, file_id: str, asked: str, answer: tuple[int, bytes | None, str | None]
) -> None:
    status, content, part = answer
    reply = http.get(f"/files/{file_id}/content", headers={"Range": asked})
    assert (reply.status_code, reply.headers.get("content-range")) == (status, part)
    assert content is None or reply.content == content


def test_files_are_listed_by_purpose_and_page_by_page(open_test_server: OpenServer) -> None:
    with openai_client(open_test_server()) as sdk:
        made = [
            sdk.files.create(file=(f"{n}.txt", b"x"), purpose=purpose).id
            for n, purpose in enumerate(["batch", "user_data", "batch"])
        ]
        assert [file.id for file in sdk.files.list()] == made[::-1]
        assert [file.id for file in sdk.files.list(order="asc", limit=1)] == made
        assert [file.id for file in sdk.files.list(purpose="batch")] == [made[2], made[0]]


def test_a_deleted_file_is_gone(sdk: Any, file_id: str) -> None:
    assert sdk.files.delete(file_id).deleted
    for call in (sdk.files.retrieve, sdk.files.content, sdk.files.delete):
        with pytest.raises(openai.NotFoundError, match="No such File"):
            call(file_id)


def test_a_file_of_one_api_is_there_for_the_other(open_test_server: OpenServer) -> None:
    server = open_test_server()
    with openai_client(server) as sdk:
        made = sdk.files.create(file=("note.txt", b"one two"), purpose="user_data")
        name = f"files/{made.id.removeprefix('file-')}"
        google = sdk_client(server.url)
        assert google.files.get(name=name).display_name == "note.txt"
        answer = sdk.chat.completions.create(
            model=CHAT_MODEL,
            messages=[
                {"role": "user", "content": [{"type": "file", "file": {"file_id": made.id}}]}
            ],
        )
        assert "one two" in answer.choices[0].message.content


@pytest.mark.parametrize(
    ("fields", "param"),
    [({}, "purpose"), ({"purpose": "fun"}, "purpose"), (None, "file")],
)
def test_a_form_that_is_wrong_keeps_no_file(
    open_test_server: OpenServer, fields: dict[str, str] | None, param: str
) -> None:
    with openai_http(open_test_server()) as http:
        files = {"file": ("x", b"content")} if fields is not None else {"other": ("x", b"y")}
        reply = http.post("/files", files=files, data=fields or {})
        assert (reply.status_code, reply.json()["error"]["param"]) == (400, param)
        assert http.get("/files").json()["data"] == []


def test_a_file_that_is_too_long_is_refused(open_test_server: OpenServer) -> None:
    with openai_http(open_test_server(upload_bytes_max=8)) as http:
        reply = http.post("/files", files={"file": ("x", b"123456789")}, data={"purpose": "batch"})
        assert reply.status_code == 400
        assert http.get("/files").json()["data"] == []
