"""The list of models through the SDK and through HTTP."""

import httpx2 as httpx
import pytest
from google import genai
from google.genai import errors

from support.api.local_server import LocalServer

NAMES = ["models/echo", "models/gemini-2.5-flash", "models/gemini-2.5-pro"]
METHODS = [
    "generateContent",
    "streamGenerateContent",
    "countTokens",
    "createCachedContent",
    "batchGenerateContent",
]


@pytest.fixture(scope="module")
def server(shared_server: LocalServer) -> LocalServer:
    return shared_server


@pytest.mark.parametrize("page_size", [1, 2, 3, 50])
def test_the_sdk_lists_every_literal_name(client: genai.Client, page_size: int) -> None:
    models = list(client.models.list(config={"page_size": page_size}))
    assert [model.name for model in models] == NAMES
    assert all(model.supported_actions == METHODS for model in models)


def test_the_sdk_lists_no_tuned_models(client: genai.Client) -> None:
    assert list(client.models.list(config={"query_base": False})) == []


@pytest.mark.parametrize("name", ["gemini-2.5-flash", "models/gemini-2.5-flash"])
def test_the_sdk_gets_a_model(client: genai.Client, name: str) -> None:
    model = client.models.get(model=name)
    assert model.name == "models/gemini-2.5-flash"
    assert model.display_name == "echo"
    assert model.supported_actions == METHODS
    assert (model.input_token_limit, model.output_token_limit) == (4096, 1024)


def test_a_name_that_a_glob_takes_is_got_under_that_name(client: genai.Client) -> None:
    assert client.models.get(model="gemini-9-ultra").name == "models/gemini-9-ultra"


def test_an_unknown_model_is_not_found(client: genai.Client, http: httpx.Client) -> None:
    for call in (
        lambda: client.models.get(model="llama-9"),
        lambda: client.models.generate_content(model="llama-9", contents="x"),
        lambda: client.models.count_tokens(model="llama-9", contents="x"),
    ):
        with pytest.raises(errors.ClientError, match=r"models/llama-9 is not found") as caught:
            call()
        assert (caught.value.code, caught.value.status) == (404, "NOT_FOUND")
    assert http.get("/v1beta/models/gemini-x:dance").status_code == 404


def test_no_page_of_models_ends_with_a_token_to_nothing(http: httpx.Client) -> None:
    first = http.get("/v1beta/models?pageSize=2").json()
    assert [model["name"] for model in first["models"]] == NAMES[:2]
    query = {"pageSize": 2, "pageToken": first["nextPageToken"]}
    second = http.get("/v1beta/models", params=query).json()
    assert [model["name"] for model in second["models"]] == NAMES[2:]
    assert "nextPageToken" not in second
    assert "nextPageToken" not in http.get("/v1beta/models?pageSize=3").json()


@pytest.mark.parametrize(
    "query", ["pageToken=x", "pageToken=4", "pageToken=²", f"pageToken={'9' * 5000}", "pageSize=-1"]
)
def test_a_bad_page_is_refused(http: httpx.Client, query: str) -> None:
    assert http.get(f"/v1beta/models?{query}").status_code == 400
