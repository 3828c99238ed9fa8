"""Every line and event is one to any reader, whatever characters its client or its model wrote."""

import json
from typing import Any

import httpx2 as httpx
import pytest

from support.api.batch_calls import asking, create_from_file, create_inline, finish, upload_lines
from support.api.local_server import LocalServer

FLASH = "/v1beta/models/gemini-2.5-flash"
CUT = "one\u2028two\u2029three\x85four\x0b\x0c\x1c\x1d\x1efive"


@pytest.fixture(scope="module")
def server(shared_server: LocalServer) -> LocalServer:
    return shared_server


def lines_of(reply: httpx.Response) -> list[dict[str, Any]]:
    """Return the lines as a reader finds them that breaks at all there is to break at."""
    assert reply.status_code == 200, reply.text
    return [json.loads(line) for line in reply.content.decode().splitlines()]


def test_results_keys_metadata_and_errors_are_a_line_each(http: httpx.Client) -> None:
    good = {"key": CUT, "metadata": {CUT: CUT, "n": {"a": CUT}}, "request": asking(CUT)}
    bad = {"key": CUT, "request": {CUT: 1}}
    written = [json.dumps(line, ensure_ascii=False).encode() for line in (good, bad)]
    done = finish(http, create_from_file(http, upload_lines(http, written)).json()["name"])
    output = http.get(f"/download/v1beta/{done['response']['responsesFile']}:download?alt=media")
    first, second = lines_of(output)
    assert first["response"]["candidates"][0]["content"]["parts"][0]["text"] == CUT
    assert first["key"] == second["key"] == CUT
    assert first["metadata"][CUT] == CUT
    assert json.loads(first["metadata"]["n"]) == {"a": CUT}
    assert f'Unknown name "{CUT}"' in second["error"]["message"]
    so_far = lines_of(http.get(f"/v1beta/{done['name']}:results"))
    assert so_far == [{"line": 1} | first, {"line": 2} | second]


def test_what_is_no_stream_is_one_line(http: httpx.Client) -> None:
    name = create_inline(http, [{"request": asking(CUT), "metadata": {"key": CUT}}])["name"]
    done = finish(http, name)
    assert done["response"]["inlinedResponses"]["inlinedResponses"][0]["metadata"] == {"key": CUT}
    for path in (name, "batches", f"{name}:receipt"):
        assert len(lines_of(http.get(f"/v1beta/{path}"))) == 1
    (answer,) = lines_of(http.post(f"{FLASH}:generateContent", json=asking(CUT)))
    assert answer["candidates"][0]["content"]["parts"][0]["text"] == CUT
    refused = http.post(f"{FLASH}:generateContent", json={CUT: 1}).content.decode()
    assert len(refused.splitlines()) == 1


@pytest.mark.parametrize("query", ["alt=sse", ""])
def test_a_chunk_is_a_line_of_a_stream(http: httpx.Client, query: str) -> None:
    reply = http.post(f"{FLASH}:streamGenerateContent?{query}", json=asking(CUT))
    text = reply.content.decode()
    lines = [line for line in text.splitlines() if line]
    if query:
        assert all(line.startswith("data: ") for line in lines)
        chunks = [json.loads(line.removeprefix("data: ")) for line in lines]
    else:
        chunks = json.loads(text)
        assert len(lines) == len(chunks)
    said = [chunk["candidates"][0]["content"]["parts"][0]["text"] for chunk in chunks]
    assert "".join(said) == CUT
