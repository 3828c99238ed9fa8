"""`webhookConfig` of a batch: its own addresses, told with the server's own signature."""

import contextlib
import importlib
import json
from pathlib import Path
from typing import Any

import httpx2 as httpx
import jwt
import pytest
from google.genai import types
from standardwebhooks import Webhook as Verifier

from support.api.batch_calls import asking, batch_of
from support.api.local_server import SLOW, LocalServer, OpenServer, client_of, http_of
from support.api.webhook_calls import CREATE, HERE, URI, create, error_of
from support.webhooks.receiver import Receiver
from toplu.api.http.identity import DEFAULT_PROJECT
from toplu.job import JobId


@pytest.fixture
def server(open_test_server: OpenServer) -> LocalServer:
    return open_test_server(webhooks=HERE)


def test_the_addresses_of_a_batch_verify_by_the_key_set(server: LocalServer) -> None:
    with Receiver() as registered, Receiver() as own, contextlib.closing(client_of(server)) as sdk:
        with http_of(server) as http:
            create(http, uri=registered.uri)
        batch = sdk.batches.create(
            model="gemini-2.5-flash",
            src=[types.InlinedRequest(contents="x")],
            config={"webhook_config": {"uris": [own.uri], "user_metadata": {"run": "7"}}},
        )
        (received,) = own.wait_for(1)
        token = received.headers["webhook-signature"]
        keys = jwt.PyJWKClient(f"{server.url}/.well-known/jwks.json")
        key = keys.get_signing_key_from_jwt(token)
        claims = jwt.decode(token, key, algorithms=["RS256"], audience=own.uri)
        assert claims["jti"] == received.headers["webhook-id"]
        event = json.loads(received.body)
        assert (event["type"], event["data"]["id"]) == ("batch.succeeded", batch.name)
        assert event["user_metadata"] == {"run": "7"}
        assert registered.received == [], "it is told to nobody else"


def test_user_metadata_alone_goes_to_the_webhooks(http: httpx.Client) -> None:
    with Receiver() as receiver:
        secret = create(http, uri=receiver.uri)["new_signing_secret"]
        body = batch_of(asking("x"))
        body["batch"]["webhookConfig"] = {"userMetadata": {"run": 7}}
        http.post(CREATE, json=body)
        (received,) = receiver.wait_for(1)
    assert Verifier(secret).verify(received.body, received.headers)["user_metadata"] == {"run": 7}


def test_the_key_set_needs_no_key_and_may_be_kept_a_while(keyless: httpx.Client) -> None:
    reply = keyless.get("/.well-known/jwks.json")
    assert reply.status_code == 200
    assert reply.headers["cache-control"] == "public, max-age=300"
    (key,) = reply.json()["keys"]
    assert {"kty", "kid", "n", "e", "alg", "use"} == set(key) - {"key_ops"}


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"uris": ["http://192.168.0.1/"]}, r"uris[0]: 192.168.0.1 is not a public address"),
        ({"uris": [URI] * 11}, "there are 11, 10 are the most"),
        ({"userMetadata": {"x": "y" * 20_000}}, "is longer than 16384 bytes"),
        ({"uri": URI}, 'Unknown name "uri"'),
    ],
)
def test_a_webhook_config_that_will_not_do_refuses_the_batch(
    http: httpx.Client, config: dict[str, Any], reason: str
) -> None:
    body = batch_of(asking("x"))
    body["batch"]["webhookConfig"] = config
    assert reason in error_of(http.post(CREATE, json=body), 400)


def test_a_config_stays_as_it_was_made_and_goes_to_the_retry(http: httpx.Client) -> None:
    with Receiver() as receiver:
        body = batch_of(asking("please fail"))
        body["batch"]["webhookConfig"] = {"uris": [receiver.uri]}
        name = http.post(CREATE, json=body).json()["name"]
        receiver.wait_for(1)
        update = f"/v1beta/{name}:updateGenerateContentBatch"
        same = {"displayName": "x", "webhookConfig": {"uris": [receiver.uri]}}
        assert http.patch(update, json=same).status_code == 200
        other = {"displayName": "x", "webhookConfig": {"uris": [URI]}}
        assert "webhookConfig cannot be changed" in error_of(http.patch(update, json=other), 400)
        retry = http.post(f"/v1beta/{name}:retry", json={}).json()["name"]
        told = json.loads(receiver.wait_for(2)[1].body)
    assert told["data"]["id"] == retry


@pytest.mark.parametrize(
    "name", ["test_create_with_webhook_config", "test_create_with_webhook_config_dict"]
)
@pytest.mark.filterwarnings("ignore")  # their module warns of itself
def test_google_s_own_tests_of_it_pass(
    open_test_server: OpenServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    # Their module wants the folder of answers that were recorded; none is played here.
    monkeypatch.setenv("GOOGLE_GENAI_REPLAYS_DIRECTORY", str(tmp_path))
    table = importlib.import_module("google.genai.tests.batches.test_create").test_table
    (parameters,) = [vars(item.parameters) for item in table if item.name == name]
    # Nothing of it ends while the test runs: its address is one of somebody else's.
    server = open_test_server(models=(SLOW,))
    with contextlib.closing(client_of(server)) as client:
        batch = client.batches.create(**parameters)
        assert batch.state in {"JOB_STATE_PENDING", "JOB_STATE_RUNNING"}
    job_id = JobId((batch.name or "").removeprefix("batches/"))
    job = server.call(server.server._storage.jobs.find(DEFAULT_PROJECT, job_id))
    kept = types.WebhookConfig.model_validate(json.loads(job.webhook_config))
    asked = types.CreateBatchJobConfig.model_validate(parameters["config"])
    assert kept == asked.webhook_config
