"""Create calls that are refused: the text of each, and that no batch comes of it."""

from collections.abc import Iterator
from typing import Any

import httpx2 as httpx
import pytest
from google import genai
from google.genai import errors

from support.api.batch_calls import asking
from support.api.local_server import LocalServer
from support.api.upload_calls import upload_raw

FLASH = "models/gemini-2.5-flash"
INLINE = {"requests": {"requests": [{"request": asking("x")}]}}
PATH = "batch.input_config.requests.requests"


@pytest.fixture(scope="module")
def server(shared_server: LocalServer) -> LocalServer:
    return shared_server


# The SDK says so of its embedding batches.
pytestmark = pytest.mark.filterwarnings("ignore:.* is experimental and may change")


@pytest.fixture(autouse=True)
def no_batch_comes_of_it(http: httpx.Client) -> Iterator[None]:
    before = http.get("/v1beta/batches").json()
    yield
    assert http.get("/v1beta/batches").json() == before


def refusal(
    http: httpx.Client, batch: dict[str, Any], *, model: str = FLASH, version: str = "v1beta"
) -> tuple[int, str, str]:
    """Return the HTTP status, the code's name and the message of a create that fails."""
    path = f"/{version}/{model}:batchGenerateContent"
    reply = http.post(path, json={"batch": batch})
    error = reply.json()["error"]
    assert error["code"] == reply.status_code
    return reply.status_code, error["status"], error["message"]


def broken_rule(field: str, reason: str) -> tuple[int, str, str]:
    return 400, "INVALID_ARGUMENT", f"* BatchGenerateContentRequest.{field}: {reason}\n"


ONE_INPUT = broken_rule("batch.input_config", "exactly one of file_name and requests must be set")
NO_REQUESTS = broken_rule(PATH, "requests is not specified")


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (None, ONE_INPUT),
        ({}, ONE_INPUT),
        (INLINE | {"fileName": "files/x"}, ONE_INPUT),
        ({"requests": {"requests": []}}, NO_REQUESTS),
        # What the JavaScript SDK sends for a list of embedding requests.
        ({"requests": {}}, NO_REQUESTS),
        (
            {"requests": {"requests": [{"request": asking("x")}, {"metadata": {"key": "a"}}]}},
            broken_rule(f"{PATH}[1].request", "request is not specified"),
        ),
    ],
)
def test_a_batch_has_exactly_one_input(
    http: httpx.Client, config: dict[str, Any] | None, expected: tuple[int, str, str]
) -> None:
    batch = {"displayName": "x"} | ({} if config is None else {"inputConfig": config})
    assert refusal(http, batch) == expected


@pytest.mark.parametrize("version", ["v1", "v1beta", "v1alpha"])
def test_an_unknown_model_is_not_found(http: httpx.Client, version: str) -> None:
    text = (
        f"models/llama-9 is not found for API version {version}, or is not supported for "
        "batchGenerateContent. Call ListModels to see the list of available models and their "
        "supported methods."
    )
    got = refusal(http, {"inputConfig": INLINE}, model="models/llama-9", version=version)
    assert got == (404, "NOT_FOUND", text)


def test_the_batch_names_the_model_of_the_url_or_none(http: httpx.Client) -> None:
    batch = {"inputConfig": INLINE, "model": "models/gemini-2.5-pro"}
    reason = "models/gemini-2.5-pro is not the model of the URL, models/gemini-2.5-flash"
    assert refusal(http, batch) == broken_rule("batch.model", reason)


@pytest.mark.parametrize("name", ["models/gemini-2.5-pro", "gemini-2.5-pro", "echo"])
def test_each_request_names_the_model_of_the_batch_or_none(http: httpx.Client, name: str) -> None:
    requests = [asking("x"), asking("x") | {"model": FLASH}, asking("x") | {"model": name}]
    config = {"requests": {"requests": [{"request": request} for request in requests]}}
    reason = f"{name} is not the model of the batch, models/gemini-2.5-flash"
    expected = broken_rule(f"{PATH}[2].request.model", reason)
    assert refusal(http, {"inputConfig": config}) == expected


def test_a_missing_file_is_one_that_nobody_may_see(http: httpx.Client) -> None:
    text = "You do not have permission to access the File nothing or it may not exist."
    got = refusal(http, {"inputConfig": {"fileName": "files/nothing"}})
    assert got == (403, "PERMISSION_DENIED", text)


def test_a_deleted_file_is_missing(http: httpx.Client) -> None:
    name = upload_raw(http, b'{"contents": []}')["name"]
    http.delete(f"/v1beta/{name}")
    assert refusal(http, {"inputConfig": {"fileName": name}})[:2] == (403, "PERMISSION_DENIED")


def test_a_display_name_has_512_characters_at_most(http: httpx.Client) -> None:
    status, _, message = refusal(http, {"inputConfig": INLINE, "displayName": "x" * 513})
    assert status == 400
    assert "batch.display_name" in message


def test_a_filter_of_the_list_is_not_served(http: httpx.Client) -> None:
    assert http.get("/v1beta/batches?filter=x").status_code == 501
    assert http.get("/v1beta/batches?filter=&returnPartialSuccess=true").status_code == 200


@pytest.mark.parametrize("suffix", ["", ":cancel", ":delete"])
@pytest.mark.parametrize("batch", ["nothing", "a" * 34, "%00", "x" * 2000])
def test_a_missing_batch_is_not_found(http: httpx.Client, batch: str, suffix: str) -> None:
    reply = http.get(f"/v1beta/batches/{batch}{suffix}")
    assert reply.status_code == 404
    assert reply.json() == {
        "error": {"code": 404, "message": "Requested entity was not found.", "status": "NOT_FOUND"}
    }


def test_the_sdk_raises_what_the_server_says(client: genai.Client) -> None:
    with pytest.raises(errors.ClientError) as caught:
        client.batches.create(model="llama-9", src=[asking("x")])
    assert (caught.value.code, caught.value.status) == (404, "NOT_FOUND")
    with pytest.raises(errors.ClientError, match="not supported for asyncBatchEmbed") as embedding:
        client.batches.create_embeddings(
            model="gemini-2.5-flash", src={"inlined_requests": {"contents": ["a", "b"]}}
        )
    assert embedding.value.code == 404


def test_one_bad_request_refuses_the_whole_inline_batch(http: httpx.Client) -> None:
    bad = asking("x") | {"tempreture": 1}
    config = {"requests": {"requests": [{"request": asking("x")}, {"request": bad}]}}
    status, _, message = refusal(http, {"inputConfig": config})
    assert status == 400
    assert f"'{PATH}[1].request'" in message
