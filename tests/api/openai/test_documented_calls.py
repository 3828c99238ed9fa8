"""Every answer of OpenAI's API is in its OpenAPI document, whatever it is asked."""

import re
from collections.abc import Iterator
from typing import Any

import httpx2 as httpx
import pytest
import schemathesis
from hypothesis import given
from hypothesis import strategies as st
from schemathesis import checks

from support.api.local_server import ECHO, EMBEDDER, LocalServer, echo_server
from support.api.openai_batches import chat_line
from support.api.openai_calls import CHAT_MODEL, EMBEDDING_MODEL, openai_http, user
from support.fuzzing import EXAMPLE_SECONDS_MAX, fuzzed
from toplu.api.http.openapi.operated import Operated
from toplu.api.openai.document.calls import CALLS
from toplu.api.openai.document.page import OPENAI
from toplu.api.openai.gate import PREFIX
from toplu.job import ProjectId
from toplu.settings.outbound import WebhookSettings

CHECKED = (
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
)
SERVER_ERRORS = {503, 504}
ENDPOINT = {"name": "x", "url": "https://receiver.invalid/", "event_types": ["batch.completed"]}
PLAIN_BODIES: dict[str, Any] = {
    "/chat/completions": {"model": CHAT_MODEL, "messages": user("hi")},
    "/completions": {"model": CHAT_MODEL, "prompt": "hi"},
    "/responses": {"model": CHAT_MODEL, "input": "hi"},
    "/embeddings": {"model": EMBEDDING_MODEL, "input": "hi"},
    "/webhook_endpoints": ENDPOINT,
    "/webhook_endpoints/{endpoint}": {"name": "other"},
    "/webhook_endpoints/{endpoint}/rotate_secret": {},
    "/webhook_endpoints/{endpoint}/test": {"event_type": "batch.failed"},
}


def title(call: Operated) -> str:
    return f"{call.method} {call.path.removeprefix(PREFIX)}"


class DocumentedApi:
    """A server with a model of each kind and a key; and its document."""

    def __init__(self, server: LocalServer, http: httpx.Client) -> None:
        self._http = http
        self._endpoints = 0
        self.headers = {"authorization": http.headers["authorization"]}
        self.schema = schemathesis.openapi.from_url(f"{server.url}{PREFIX}/openapi.json")

    def new_file(self) -> str:
        form = {"file": ("lines.jsonl", chat_line("a", "please fail").encode())}
        made = self._http.post("/files", files=form, data={"purpose": "batch"})
        assert made.status_code == 200, made.text
        return str(made.json()["id"])

    def new_batch(self) -> str:
        made = self._http.post("/batches", json=self.batch_body())
        assert made.status_code == 200, made.text
        return str(made.json()["id"])

    def new_endpoint(self) -> str:
        self._endpoints += 1
        made = self._http.post("/webhook_endpoints", json=ENDPOINT | {"name": str(self._endpoints)})
        assert made.status_code == 200, made.text
        return str(made.json()["id"])

    def batch_body(self) -> dict[str, Any]:
        return {
            "input_file_id": self.new_file(),
            "endpoint": "/v1/chat/completions",
            "completion_window": "24h",
        }

    def real_names(self, call: Operated) -> dict[str, str]:
        names = {
            "model": lambda: CHAT_MODEL,
            "file": self.new_file,
            "batch": self.new_batch,
            "endpoint": self.new_endpoint,
        }
        return {name: make() for name, make in names.items() if f"{{{name}}}" in call.path}


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DocumentedApi]:
    folder = tmp_path_factory.mktemp("server")
    with echo_server(
        folder,
        models=(ECHO, EMBEDDER),
        concurrent_batches_max=100_000,
        webhooks=WebhookSettings(per_project_max=100_000),
    ) as server:
        key = server.call(server.server.keys.create(ProjectId("fuzzed"), "test"))
        with openai_http(server, key) as http:
            yield DocumentedApi(server, http)


@pytest.mark.parametrize("call", CALLS, ids=title)
def test_every_answer_is_in_the_document(api: DocumentedApi, call: Operated) -> None:
    operation = api.schema[call.path][call.method]

    @given(data=st.data())
    @fuzzed(examples=15)
    def answers_as_documented(data: st.DataObject) -> None:
        mode = data.draw(st.sampled_from(list(schemathesis.GenerationMode)))
        case = data.draw(operation.as_strategy(generation_mode=mode))
        if data.draw(st.booleans()):
            case.path_parameters |= api.real_names(call)
        answer = case.call(headers=api.headers, timeout=EXAMPLE_SECONDS_MAX)
        assert answer.status_code < 500 or answer.status_code in SERVER_ERRORS, answer.text
        case.validate_response(answer, checks=CHECKED)

    answers_as_documented()


@pytest.mark.parametrize(
    "call", [call for call in CALLS if call.form is None and "retry" not in call.path], ids=title
)
def test_a_plain_call_is_answered_as_the_document_says(api: DocumentedApi, call: Operated) -> None:
    given_body: dict[str, Any] = {}
    if call.takes is not None:
        path = call.path.removeprefix(PREFIX)
        body = api.batch_body() if path == "/batches" else PLAIN_BODIES[path]
        given_body = {"body": body, "media_type": "application/json"}
    names = api.real_names(call)
    case = api.schema[call.path][call.method].Case(path_parameters=names, **given_body)
    answer = case.call(headers=api.headers, timeout=EXAMPLE_SECONDS_MAX)
    if any(word in call.path for word in ("receipt", "cancel", "/test")):
        assert answer.status_code in (200, 400, 409), answer.text
    else:
        assert answer.status_code == 200, answer.text
    case.validate_response(answer, checks=CHECKED)


def test_the_document_describes_every_route_and_nothing_else(api: DocumentedApi) -> None:
    described = {
        (path, method) for path, item in OPENAI.document()["paths"].items() for method in item
    }
    assert described == {(call.path, call.method) for call in CALLS}
    for path, method in described:
        answer = api._http.request(method.upper(), re.sub(r"{\w+}", "x", path.removeprefix(PREFIX)))
        assert "Unknown request URL" not in answer.text
