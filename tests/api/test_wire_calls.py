"""Rules of every call: versions, queries, paths, lenient bodies, gzip, limits."""

import gzip
import http.client
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2 as httpx
import pytest

from support.api.batch_calls import asking, finish, text_of
from support.api.local_server import LocalServer, OpenServer, http_of

GENERATE = "/v1beta/models/gemini-2.5-flash:generateContent"
CREATE = "/v1beta/models/gemini-2.5-flash:batchGenerateContent"


@pytest.fixture(scope="module")
def server(shared_server: LocalServer) -> LocalServer:
    return shared_server


def error_of(reply: httpx.Response, http_status: int, status: str) -> dict[str, Any]:
    assert reply.status_code == http_status, reply.text
    assert reply.headers["Content-Type"] == "application/json; charset=UTF-8"
    error = reply.json()["error"]
    assert (error["code"], error["status"]) == (http_status, status)
    return error


def test_all_versions_are_served_alike(http: httpx.Client) -> None:
    for version in ("v1", "v1beta", "v1alpha"):
        reply = http.post(f"/{version}/models/echo:generateContent", json=asking("hello"))
        assert text_of(reply.json()) == "hello"
        assert http.get(f"/{version}/models/echo").status_code == 200
        assert http.get(f"/{version}/batches").status_code == 200
        assert http.get(f"/{version}/files").status_code == 200
    for version in ("v2", "v1beta1", "V1", "v1main"):
        error_of(http.get(f"/{version}/batches"), 404, "NOT_FOUND")


def test_the_common_query_parameters_are_taken(http: httpx.Client) -> None:
    query = {
        "alt": "json",
        "prettyPrint": "true",
        "fields": "*",
        "quotaUser": "me",
        "callback": "",
        "key": "any",
        "access_token": "t",
        "oauth_token": "t",
        "uploadType": "media",
        "upload_protocol": "raw",
        "$.xgafv": "2",
    }
    for path in ("/v1beta/batches", "/v1beta/files", "/v1beta/models", "/v1beta/models/echo"):
        assert http.get(path, params=query).status_code == 200
    assert http.post(GENERATE, params=query, json=asking("x")).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "named"),
    [
        ("GET", "/v1beta/batches?fields=operations(name)", "fields"),
        ("POST", f"{GENERATE}?fields=candidates", "fields"),
        ("GET", "/v1beta/models/echo?callback=show", "callback"),
        ("GET", "/v1beta/models?alt=proto", '"proto"'),
        ("GET", "/v1beta/files?alt=json&alt=media", '"media"'),
        ("POST", f"{GENERATE}?alt=sse", '"sse"'),
        ("POST", "/upload/v1beta/files?alt=proto&uploadType=raw", '"proto"'),
    ],
)
def test_a_query_parameter_that_would_change_the_answer_is_not_ignored(
    http: httpx.Client, method: str, path: str, named: str
) -> None:
    reply = http.request(method, path, json=asking("x") if method == "POST" else None)
    assert named in error_of(reply, 400, "INVALID_ARGUMENT")["message"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1beta/batches?pagesize=1"),
        ("GET", "/v1beta/files?filter=x"),
        ("GET", "/v1beta/models/echo?pageSize=1"),
        ("POST", f"{GENERATE}?colour=red"),
        ("POST", "/upload/v1beta/files?name=x"),
    ],
)
def test_an_unknown_query_parameter_is_refused(http: httpx.Client, method: str, path: str) -> None:
    error = error_of(http.request(method, path), 400, "INVALID_ARGUMENT")
    name = path.partition("?")[2].partition("=")[0]
    text = (
        f'Invalid JSON payload received. Unknown name "{name}": '
        "Cannot bind query parameter. Field could not be found in request message."
    )
    assert error["message"] == text
    assert error["details"] == [
        {
            "@type": "type.googleapis.com/google.rpc.BadRequest",
            "fieldViolations": [{"description": text}],
        }
    ]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/nowhere"),
        ("GET", "/v1beta"),
        ("GET", "/v1beta/"),
        ("GET", "/v1beta/batches/"),
        ("GET", "/v1beta/nothing"),
        ("POST", "/v1beta/models/echo:dance"),
        ("POST", "/v1beta/publishers/google/models/echo:generateContent"),
        ("POST", "/v1beta/tunedModels/echo:generateContent"),
        ("PUT", "/v1beta/batches"),
        ("GET", GENERATE),
        ("GET", CREATE),
        ("DELETE", "/v1beta/models/echo"),
        ("PATCH", "/v1beta/files/x"),
        ("GET", "/upload/v1beta/files"),
    ],
)
def test_what_nobody_serves_is_not_found(http: httpx.Client, method: str, path: str) -> None:
    error_of(http.request(method, path), 404, "NOT_FOUND")


def test_a_percent_encoded_colon_is_a_colon(server: LocalServer) -> None:
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc)
    for colon in ("%3A", "%3a"):
        connection.request(
            "POST",
            f"/v1beta/models/echo{colon}generateContent",
            body=json.dumps(asking("hello")),
            headers={"x-goog-api-key": "any"},
        )
        reply = connection.getresponse()
        assert text_of(json.loads(reply.read())) == "hello"
    connection.close()


@pytest.mark.parametrize(
    ("offer", "is_taken"),
    [
        ("gzip", True),
        ("gzip, deflate, br", True),
        ("br;q=1.0, GZIP;q=0.5", True),
        ("identity", False),
        ("gzip;q=0, br", False),
        ("", False),
    ],
)
def test_json_is_gzipped_for_those_who_offer_it(
    server: LocalServer, offer: str, *, is_taken: bool
) -> None:
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc)
    headers = {"x-goog-api-key": "any", "Accept-Encoding": offer}
    connection.request("GET", "/v1beta/models", headers=headers)
    reply = connection.getresponse()
    content = reply.read()
    connection.close()
    assert reply.getheader("Content-Encoding") == ("gzip" if is_taken else None)
    assert reply.getheader("Vary") == "Accept-Encoding"
    assert json.loads(gzip.decompress(content) if is_taken else content)["models"]


LENIENT = [
    b"{'contents': [{'parts': [{'text': 'hello'}]}]}",
    b'{contents: [{parts: [{text: "hello"}],},],}',
    b'{"contents": {"role": "user", "parts": {"text": "hello"}}, "generation_config": null}',
    b'\xef\xbb\xbf{"contents":[{"parts":[{"text":"hello"}]}],"generationConfig":{"topK":"40"}}',
    b"{'contents':[{'parts':[{'text':'hello'}]}],'generation_config':{'top_k':40.0,topP:'0.5'}}",
]


@pytest.mark.parametrize("body", LENIENT)
@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "application/jsonl"])
def test_bodies_are_read_leniently_whatever_their_type(
    http: httpx.Client, body: bytes, content_type: str
) -> None:
    reply = http.post(GENERATE, content=body, headers={"Content-Type": content_type})
    assert reply.status_code == 200, reply.text
    assert text_of(reply.json()) == "hello"


def test_a_single_quoted_batch_is_created(http: httpx.Client) -> None:
    body = (
        b"{'batch': {'display_name': 'x', 'input_config': {'requests': {'requests': "
        b"[{'request': {'contents': [{'parts': [{'text': 'it\\'s'}]}]}, 'metadata': {'key': 'k'}}]"
        b"}}}}"
    )
    done = finish(http, http.post(CREATE, content=body).json()["name"])
    (result,) = done["response"]["inlinedResponses"]["inlinedResponses"]
    assert text_of(result["response"]) == "it's"
    assert result["metadata"] == {"key": "k"}
    assert done["metadata"]["displayName"] == "x"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"contents": [}', "Unexpected token."),
        (b'{"contents": 0x1}', "Invalid JSON payload received."),
        (b"hello", "Unexpected token."),
        (b"{} {}", "Parsing terminated before end of input."),
        (b"\xff", "Invalid JSON payload received."),
        (b"[" * 200, "Invalid JSON payload received."),
        (b"[]", "Root element must be a message."),
    ],
)
def test_what_is_no_json_is_refused(http: httpx.Client, body: bytes, reason: str) -> None:
    error = error_of(http.post(GENERATE, content=body), 400, "INVALID_ARGUMENT")
    assert reason in error["message"]


@pytest.mark.parametrize("pieces", [1, 3])
def test_a_body_over_the_limit_is_refused_before_anything_is_kept(
    open_test_server: OpenServer, tmp_path: Path, pieces: int
) -> None:
    server = open_test_server(inline_bytes_max=3000)
    config = {"requests": {"requests": [{"request": asking("x" * 3000)}]}}
    body = json.dumps({"batch": {"inputConfig": config}}).encode()
    size = len(body) // pieces + 1
    sent = [body[start : start + size] for start in range(0, len(body), size)]
    with http_of(server) as http:
        # In several pieces it comes without a length, and is counted as it arrives.
        reply = http.post(CREATE, content=iter(sent) if pieces > 1 else body)
        error = error_of(reply, 400, "INVALID_ARGUMENT")
        assert "3000 bytes" in error["message"]
        assert http.get("/v1beta/batches").json() == {}
        folders = (tmp_path / "data" / "blobs").rglob("*")
        assert not [path for path in folders if path.is_file()]
        assert http.post(GENERATE, json=asking("x" * 2000)).status_code == 200


@pytest.mark.parametrize("content", [b"", b"  \n", b"{}"])
def test_an_empty_body_is_an_empty_message(http: httpx.Client, content: bytes) -> None:
    error = error_of(http.post(CREATE, content=content), 400, "INVALID_ARGUMENT")
    assert error["message"] == "* BatchGenerateContentRequest.batch: batch is not specified\n"
    error = error_of(http.post(GENERATE, content=content), 400, "INVALID_ARGUMENT")
    assert error["message"] == "* GenerateContentRequest.contents: contents is not specified\n"


def violation(name: str, path: str) -> dict[str, str]:
    at = f" at '{path}'" if path else ""
    text = f'Invalid JSON payload received. Unknown name "{name}"{at}: Cannot find field.'
    return {"description": text} | ({"field": path} if path else {})


@pytest.mark.parametrize("spelling", ["generationConfig", "generation_config"])
def test_an_unknown_field_is_named_with_its_place(http: httpx.Client, spelling: str) -> None:
    request = asking("x") | {spelling: {"tempreture": 1}, "colour": "red"}
    reply = http.post(GENERATE, json=request | {"shape": 1})
    violations = [
        violation("tempreture", "generation_config"),
        violation("colour", ""),
        violation("shape", ""),
    ]
    check_violations(reply, violations)
    body = {"batch": {"inputConfig": {"requests": {"requests": [{"request": request}]}}}}
    place = "batch.input_config.requests.requests[0].request"
    check_violations(
        http.post(CREATE, json=body),
        [violation("tempreture", f"{place}.generation_config"), violation("colour", place)],
    )


def check_violations(reply: httpx.Response, violations: list[dict[str, str]]) -> None:
    error = error_of(reply, 400, "INVALID_ARGUMENT")
    assert error["message"] == "\n".join(each["description"] for each in violations)
    assert error["details"] == [
        {
            "@type": "type.googleapis.com/google.rpc.BadRequest",
            "fieldViolations": violations,
        }
    ]
