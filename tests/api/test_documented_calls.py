"""Every answer of the API is in the OpenAPI document, whatever it is asked.

Schemathesis makes the calls: such as the document allows, and such as it forbids. The names in
the paths are real ones as often as not.
"""

from collections.abc import Iterator
from typing import Any

import httpx2 as httpx
import pytest
import schemathesis
from hypothesis import given
from hypothesis import strategies as st
from schemathesis import checks

from support.api.batch_calls import asking, batch_of, finish
from support.api.local_server import (
    ECHO,
    EMBEDDER,
    SERVER_ERRORS,
    LocalServer,
    echo_server,
    http_of,
)
from support.api.upload_calls import upload_raw
from support.fuzzing import EXAMPLE_SECONDS_MAX, fuzzed
from toplu.api.gemini.openapi import CALLS, Operated
from toplu.job import ProjectId
from toplu.settings.outbound import WebhookSettings

EMBED = {"content": {"parts": [{"text": "x"}]}}
CHECKED = (
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
)
CACHE = {"model": "models/gemini-2.5-flash", **asking("word " * 100)}
WEBHOOK = {"uri": "https://receiver.invalid/", "subscribed_events": ["batch.succeeded"]}
PLAIN_BODIES: dict[str, Any] = {
    "generateContent": asking("x"),
    "streamGenerateContent": asking("x"),
    "countTokens": asking("x"),
    "batchGenerateContent": batch_of(asking("x")),
    "embedContent": EMBED,
    "batchEmbedContents": {"requests": [EMBED]},
    "asyncBatchEmbedContent": batch_of(EMBED),
    "updateGenerateContentBatch": {"displayName": "x"},
    "retry": {"displayName": "x"},
    "/{version}/cachedContents": CACHE,
    "/{version}/cachedContents/{cache}": {"ttl": "60s"},
    "updateEmbedContentBatch": {"displayName": "x"},
    "/{version}/webhooks": WEBHOOK,
    "/{version}/webhooks/{webhook}": {"name": "x"},
    "ping": {},
    "rotateSigningSecret": {},
    "resend": {},
}
EMBEDDINGS = {
    "embedContent",
    "batchEmbedContents",
    "asyncBatchEmbedContent",
    "updateEmbedContentBatch",
}
OF_ENDED_BATCHES = {"receipt", "retry"}
# The second one, as long as the operator allows no address.
REFUSED_FOR_GOOD = {("post", "/{version}/files"), ("post", "/{version}/files:register")}


def title(call: Operated) -> str:
    return f"{call.method} {call.path}"


def verb_of(call: Operated) -> str:
    return call.path.rpartition(":")[2]


class DocumentedApi:
    """A server with a model of each kind, a file, a batch and a key; and its document."""

    def __init__(self, server: LocalServer, http: httpx.Client) -> None:
        self._http = http
        self.headers = {"x-goog-api-key": http.headers["x-goog-api-key"]}
        self.schema = schemathesis.openapi.from_url(f"{server.url}/openapi.json")
        self._webhooks = 0
        self.models = ["echo", "echo-embedder", "gemini-2.5-flash", "gemini-embedding-001"]

    def new_batch(self, verb: str) -> str:
        method = "gemini-embedding-001:asyncBatchEmbedContent"
        if verb not in EMBEDDINGS:
            method = "gemini-2.5-flash:batchGenerateContent"
        body = PLAIN_BODIES[method.partition(":")[2]]
        created = self._http.post(f"/v1beta/models/{method}", json=body)
        assert created.status_code == 200, created.text
        return str(created.json()["name"]).removeprefix("batches/")

    def new_failed_batch(self) -> str:
        """Return a batch of one request, which failed."""
        body = batch_of(asking("please fail"))
        created = self._http.post("/v1beta/models/echo:batchGenerateContent", json=body)
        return str(finish(self._http, created.json()["name"])["name"]).removeprefix("batches/")

    def new_cache(self) -> str:
        created = self._http.post("/v1beta/cachedContents", json=CACHE)
        assert created.status_code == 200, created.text
        return str(created.json()["name"]).removeprefix("cachedContents/")

    def new_webhook(self) -> str:
        self._webhooks += 1
        created = self._http.post("/v1beta/webhooks", json=WEBHOOK | {"name": str(self._webhooks)})
        assert created.status_code == 200, created.text
        return str(created.json()["id"])

    def new_delivery(self, webhook: str) -> str:
        assert self._http.post(f"/v1beta/webhooks/{webhook}:ping").status_code == 200
        listed = self._http.get(f"/v1beta/webhooks/{webhook}/deliveries")
        return str(listed.json()["deliveries"][0]["id"])

    def new_file(self) -> str:
        return str(upload_raw(self._http, b"x")["name"]).removeprefix("files/")


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DocumentedApi]:
    with echo_server(
        tmp_path_factory.mktemp("server"),
        models=(ECHO, EMBEDDER),
        concurrent_batches_max=100_000,
        open_uploads_max=100_000,
        webhooks=WebhookSettings(per_project_max=100_000),
    ) as server:
        key = server.call(server.server.keys.create(ProjectId("fuzzed"), "test"))
        with http_of(server, key) as http:
            yield DocumentedApi(server, http)


@pytest.mark.parametrize(
    "call",
    [call for call in CALLS if (call.method, call.path) not in REFUSED_FOR_GOOD],
    ids=title,
)
def test_a_plain_call_is_answered_as_the_document_says(api: DocumentedApi, call: Operated) -> None:
    verb = verb_of(call)
    model = "echo-embedder" if verb in EMBEDDINGS else "echo"
    names = {"version": "v1beta", "model": model}
    if "{batch}" in call.path:
        ended = verb in OF_ENDED_BATCHES
        names["batch"] = api.new_failed_batch() if ended else api.new_batch(verb)
    if "{cache}" in call.path:
        names["cache"] = api.new_cache()
    if "{file}" in call.path:
        names["file"] = api.new_file()
    if "{webhook}" in call.path:
        names["webhook"] = api.new_webhook()
    if "{delivery}" in call.path:
        names["delivery"] = api.new_delivery(names["webhook"])
    given_body: dict[str, Any] = {}
    if call.uploads:
        given_body = {
            "body": b"x",
            "media_type": "application/octet-stream",
            "headers": {"X-Goog-Upload-Protocol": "raw"},
        }
    elif call.takes is not None:
        given_body = {"body": PLAIN_BODIES[verb], "media_type": "application/json"}
    case = api.schema[call.path][call.method].Case(path_parameters=names, **given_body)
    answer = case.call(headers=api.headers, timeout=EXAMPLE_SECONDS_MAX)
    assert answer.status_code == 200, answer.text
    case.validate_response(answer, checks=CHECKED)


@pytest.mark.parametrize("call", CALLS, ids=title)
def test_every_answer_is_in_the_document(api: DocumentedApi, call: Operated) -> None:
    operation = api.schema[call.path][call.method]
    known = {"model": api.models}
    if "{batch}" in call.path:
        known["batch"] = [api.new_batch(verb_of(call)) for _ in range(3)]
    if "{file}" in call.path:
        known["file"] = [api.new_file() for _ in range(3)]
    if "{webhook}" in call.path:
        known["webhook"] = ["-", *(api.new_webhook() for _ in range(3))]
    if "{delivery}" in call.path:
        known["delivery"] = [api.new_delivery(webhook) for webhook in known["webhook"][1:]]

    @given(data=st.data())
    @fuzzed(examples=15)
    def answers_as_documented(data: st.DataObject) -> None:
        mode = data.draw(st.sampled_from(list(schemathesis.GenerationMode)))
        case = data.draw(operation.as_strategy(generation_mode=mode))
        for name, real in known.items():
            if name in case.path_parameters and data.draw(st.booleans()):
                case.path_parameters[name] = data.draw(st.sampled_from(real))
        answer = case.call(headers=api.headers, timeout=EXAMPLE_SECONDS_MAX)
        assert answer.status_code < 500 or answer.status_code in SERVER_ERRORS, answer.text
        case.validate_response(answer, checks=CHECKED)

    answers_as_documented()
