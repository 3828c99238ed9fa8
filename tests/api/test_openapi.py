"""The OpenAPI document and its page: well formed, complete, and loaded from nowhere else."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import httpx2 as httpx
import pytest
from starlette.routing import Route

from support.api.local_server import LocalServer
from toplu.api.gemini import unserved

METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}
# The document does not describe itself, nor what is for monitors.
OWN_PATHS = {"/openapi.json", "/docs", "/metrics"}
JSON_TYPES = {"string", "number", "integer", "boolean", "object", "array", "null"}


@pytest.fixture(scope="module")
def server(shared_server: LocalServer) -> LocalServer:
    return shared_server


@pytest.fixture
def document(keyless: httpx.Client) -> dict[str, Any]:
    reply = keyless.get("/openapi.json")
    assert reply.status_code == 200
    return reply.json()


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def values_under(value: Any, key: str) -> Iterator[Any]:
    """Yield every value that stands under the key, however deep."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == key:
                yield inner
            yield from values_under(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from values_under(inner, key)


def resolve(document: dict[str, Any], reference: str) -> Any:
    assert reference.startswith("#/"), reference
    found: Any = document
    for step in reference[2:].split("/"):
        found = found[step.replace("~1", "/").replace("~0", "~")]
    return found


def test_the_document_has_what_openapi_asks_for(document: dict[str, Any]) -> None:
    assert re.fullmatch(r"3\.1\.\d+", document["openapi"])
    assert {"title", "version"} <= document["info"].keys()
    assert set(document) <= {"openapi", "info", "paths", "security", "components"}
    schemes = document["components"]["securitySchemes"]
    assert {name for each in document["security"] for name in each} == set(schemes)
    for scheme in schemes.values():
        if scheme["type"] == "apiKey":
            assert {"name", "in"} <= scheme.keys()
            assert scheme["in"] in {"query", "header", "cookie"}
        else:
            assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")


def test_every_operation_is_well_formed(document: dict[str, Any]) -> None:
    for path, method, operation in operations(document):
        assert path.startswith("/")
        assert method in METHODS
        assert operation["summary"]
        assert operation["responses"]
        for status, response in operation["responses"].items():
            assert re.fullmatch(r"[1-5]\d\d|default", status)
            assert response["description"]
        parameters = operation.get("parameters", [])
        in_path = [each["name"] for each in parameters if each["in"] == "path"]
        assert in_path == re.findall(r"\{(\w+)\}", path)
        assert all(each["required"] is True for each in parameters if each["in"] == "path")
        assert all("schema" in each for each in parameters)
        if "requestBody" in operation:
            assert method in {"post", "put", "patch"}
            assert operation["requestBody"]["content"]["application/json"]["schema"]


def test_every_reference_leads_to_a_schema_and_every_schema_is_used(
    document: dict[str, Any],
) -> None:
    references = set(values_under(document, "$ref"))
    assert references
    for reference in references:
        assert isinstance(resolve(document, reference), dict)
    schemas = document["components"]["schemas"]
    assert {f"#/components/schemas/{name}" for name in schemas} == references
    assert all(re.fullmatch(r"[a-zA-Z0-9._-]+", name) for name in schemas)


def test_every_schema_is_a_schema(document: dict[str, Any]) -> None:
    for name, schema in document["components"]["schemas"].items():
        assert schema.get("type") in JSON_TYPES or "enum" in schema, name
        properties = schema.get("properties", {})
        assert set(schema.get("required", [])) <= set(properties), name
        for inner in properties.values():
            assert isinstance(inner, dict)
        for kind in values_under(schema, "type"):
            # A property may itself be called `type`.
            assert isinstance(kind, dict) or kind in JSON_TYPES, name


def test_the_document_describes_every_route_and_nothing_else(
    server: LocalServer, document: dict[str, Any]
) -> None:
    served = {
        (re.sub(r"\{(\w+):\w+\}", r"{\1}", route.path), method.lower())
        for route in server.server.routes
        if isinstance(route, Route)
        and route.path not in OWN_PATHS
        and route.path not in unserved.PATHS
        for method in (route.methods or set()) - {"HEAD"}
    }
    assert {(path, method) for path, method, _ in operations(document)} == served


def test_a_stream_is_described_as_a_list_and_as_events(document: dict[str, Any]) -> None:
    operation = document["paths"]["/{version}/models/{model}:streamGenerateContent"]["post"]
    content = operation["responses"]["200"]["content"]
    chunk = {
        "anyOf": [
            {"$ref": "#/components/schemas/GenerateContentResponse"},
            {"$ref": "#/components/schemas/ErrorBody"},
        ]
    }
    assert content == {
        "application/json": {"schema": {"type": "array", "items": chunk}},
        "text/event-stream": {"schema": chunk},
    }
    assert "alt" in {parameter["name"] for parameter in operation["parameters"]}


def test_the_calls_that_answer_with_batches_take_the_spelling_of_states(
    document: dict[str, Any],
) -> None:
    takers = {
        (path, method)
        for path, method, operation in operations(document)
        for parameter in operation["parameters"]
        if (parameter["in"], parameter["name"]) == ("header", "X-Toplu-State-Style")
    }
    assert takers == {
        ("/{version}/models/{model}:asyncBatchEmbedContent", "post"),
        ("/{version}/models/{model}:batchGenerateContent", "post"),
        ("/{version}/batches", "get"),
        ("/{version}/batches/{batch}", "get"),
        ("/{version}/batches/{batch}:receipt", "get"),
        ("/{version}/batches/{batch}:retry", "post"),
        ("/{version}/batches/{batch}:pause", "post"),
        ("/{version}/batches/{batch}:resume", "post"),
        ("/{version}/batches/{batch}:updateEmbedContentBatch", "patch"),
        ("/{version}/batches/{batch}:updateGenerateContentBatch", "patch"),
    }


class Loaded(HTMLParser):
    """Collects what a page loads."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in {"script", "link", "img", "iframe"}:
            self.addresses += [value for name, value in attrs if name in {"src", "href"} if value]


def test_the_page_loads_only_what_this_server_has(keyless: httpx.Client) -> None:
    page = keyless.get("/docs")
    assert page.status_code == 200
    assert page.headers["Content-Type"].startswith("text/html")
    loaded = Loaded()
    loaded.feed(page.text)
    (document_url,) = re.findall(r'url: "([^"]+)"', page.text)
    assert len(loaded.addresses) >= 2
    for address in [*loaded.addresses, document_url]:
        assert re.match(r"/[^/]", address), f"{address} is not on this server"
        asset = keyless.get(address)
        assert asset.status_code == 200
        assert asset.content
    assert "://" not in page.text
    assert keyless.get("/docs/static/../../etc/passwd").status_code == 404
    assert keyless.get("/docs/static/nothing.js").status_code == 404
