"""A batch may be changed in two fields: its display name and its priority."""

from typing import Any

import httpx2 as httpx
import pytest

from support.api.batch_calls import asking, create_from_file, create_inline, operation, upload_lines
from support.api.local_server import ECHO, OpenServer, http_of
from toplu.settings.server import EchoSettings, ModelSettings

WAITING = ModelSettings(
    name="echo", aliases=ECHO.aliases, engine="echo", echo=EchoSettings(delay_seconds=3600)
)
GENERATE = "updateGenerateContentBatch"


def update(
    http: httpx.Client, name: str, body: dict[str, Any], mask: str | None = None, method: str = ""
) -> httpx.Response:
    params = {} if mask is None else {"updateMask": mask}
    return http.patch(f"/v1beta/{name}:{method or GENERATE}", json=body, params=params)


@pytest.fixture
def http(open_test_server: OpenServer) -> Any:
    with http_of(open_test_server(models=(WAITING,))) as client:
        yield client


@pytest.fixture
def name(http: httpx.Client) -> str:
    return create_inline(http, [{"request": asking("hello")}])["name"]


@pytest.mark.parametrize(("priority", "shown"), [("7", "7"), (-7, "-7"), (0, None), (None, None)])
def test_a_batch_has_the_priority_that_it_was_made_with(
    http: httpx.Client, priority: Any, shown: str | None
) -> None:
    batch = {"inputConfig": {"requests": {"requests": [{"request": asking("x")}]}}}
    if priority is not None:
        batch["priority"] = priority
    url = "/v1beta/models/gemini-2.5-flash:batchGenerateContent"
    created = http.post(url, json={"batch": batch}).json()
    assert created["metadata"].get("priority") == shown
    assert operation(http, created["name"])["metadata"].get("priority") == shown


@pytest.mark.parametrize("mask", [None, "displayName,priority", "display_name, priority", "*"])
def test_name_and_priority_change_together(http: httpx.Client, name: str, mask: str | None) -> None:
    before = operation(http, name)["metadata"]
    reply = update(http, name, {"displayName": "later", "priority": "-3"}, mask)
    assert reply.status_code == 200, reply.text
    batch = reply.json()
    assert (batch["name"], batch["displayName"], batch["priority"]) == (name, "later", "-3")
    assert "@type" not in batch
    after = operation(http, name)["metadata"]
    assert (after["displayName"], after["priority"]) == ("later", "-3")
    assert after["updateTime"] > before["updateTime"]


def test_only_what_the_mask_names_changes(http: httpx.Client, name: str) -> None:
    update(http, name, {"displayName": "one", "priority": 1})
    batch = update(http, name, {"displayName": "two", "priority": 2}, "priority").json()
    assert (batch["displayName"], batch["priority"]) == ("one", "2")


def test_a_field_of_the_mask_that_the_body_lacks_is_cleared(http: httpx.Client, name: str) -> None:
    update(http, name, {"displayName": "one", "priority": 1})
    batch = update(http, name, {}, "*").json()
    assert "displayName" not in batch
    assert "priority" not in batch


def test_a_batch_may_be_sent_back_as_it_was_got(http: httpx.Client) -> None:
    created = create_from_file(http, upload_lines(http, [b'{"contents": [{"parts": []}]}'])).json()
    got = operation(http, created["name"])["metadata"]
    body = {key: got[key] for key in got.keys() - {"@type", "toplu"}} | {"priority": "5"}
    reply = update(http, created["name"], body)
    assert reply.status_code == 200, reply.text
    assert reply.json()["priority"] == "5"


@pytest.mark.parametrize(
    ("body", "mask", "told"),
    [
        ({"state": "BATCH_STATE_SUCCEEDED"}, "state", "state cannot be changed"),
        ({"displayName": "x"}, "displayName,input_config", "input_config cannot be changed"),
        ({"model": "models/gemini-2.5-pro"}, None, "batch.model cannot be changed"),
        ({"inputConfig": {"fileName": "files/other"}}, None, "batch.inputConfig cannot be changed"),
        ({"displayName": "x" * 513}, None, "batch.display_name: is longer than 512 characters"),
        ({"priority": "soon"}, None, "Invalid value at 'priority' (TYPE_INT64)"),
        ({"colour": "red"}, None, 'Unknown name "colour"'),
    ],
)
def test_what_cannot_be_changed_is_refused(
    http: httpx.Client, name: str, body: dict[str, Any], mask: str | None, told: str
) -> None:
    reply = update(http, name, body, mask)
    assert reply.status_code == 400, reply.text
    assert told in reply.json()["error"]["message"]
    assert "displayName" not in operation(http, name)["metadata"]


def test_the_method_must_be_that_of_the_batch(http: httpx.Client, name: str) -> None:
    reply = update(http, name, {"priority": 1}, method="updateEmbedContentBatch")
    assert (reply.status_code, reply.json()["error"]["status"]) == (400, "INVALID_ARGUMENT")


def test_a_batch_that_never_was_cannot_be_changed(http: httpx.Client) -> None:
    assert update(http, "batches/none", {"priority": 1}).status_code == 404
