"""New batches, files, models, use, and the events of a page."""

import json
import re
from collections.abc import Iterator

import httpx2 as httpx
import pytest

from support.api.batch_calls import asking, create_inline, finish
from support.api.local_server import ECHO, EMBEDDER, LocalServer, OpenServer, http_of
from support.api.openai_batches import chat_line
from support.api.pages import PageClient, new_key, page_of, words_of
from support.waiting import eventually
from toplu.metrics.measured import RECENT

LINES = b"\n".join(
    json.dumps({"key": f"k{n}", "request": asking(f"word {n}")}).encode() for n in range(5)
)


@pytest.fixture
def server(open_test_server: OpenServer) -> LocalServer:
    return open_test_server(models=(ECHO, EMBEDDER))


@pytest.fixture
def page(server: LocalServer) -> Iterator[PageClient]:
    with page_of(server) as client:
        yield client


def created(page: PageClient, uploaded: httpx.Response) -> str:
    """Make the batch of a file that was uploaded; return its path on the page."""
    assert uploaded.status_code == 303, uploaded.text
    path, _, query = uploaded.headers["location"].partition("?")
    fields = dict(httpx.QueryParams(query))
    return str(page.send(f"{path}/batch", **fields).headers["location"])


def figures(page: PageClient, uploaded: httpx.Response) -> str:
    path, _, query = uploaded.headers["location"].partition("?")
    return words_of(page.get(f"{path}/figures?{query}").text)


def test_a_file_of_lines_becomes_a_batch(http: httpx.Client, page: PageClient) -> None:
    uploaded = page.upload("in.jsonl", LINES + b"\nno JSON", model="gemini-2.5-flash", name="mine")
    told = figures(page, uploaded)
    assert "Requests 6 Faulty 1" in told
    assert "Faulty lines" in told
    path = created(page, uploaded)
    done = finish(http, path.removeprefix("/ui/"))
    assert done["metadata"]["displayName"] == "mine"
    assert done["metadata"]["batchStats"]["successfulRequestCount"] == "5"


def test_lines_of_the_other_api_make_a_batch_of_that(page: PageClient) -> None:
    lines = "\n".join(chat_line(f"c{n}", f"x {n}", model="echo") for n in range(3)).encode()
    uploaded = page.upload("in.jsonl", lines, model="echo")
    assert "Requests 3 Faulty 0" in figures(page, uploaded)
    path = created(page, uploaded)
    eventually(lambda: "3 of 3" in page.text(path))
    doubled = page.upload("in.jsonl", lines + b"\n" + lines, model="echo")
    assert "Line 4: An earlier line has this custom_id." in figures(page, doubled)


def test_a_table_becomes_a_batch_by_a_prompt(http: httpx.Client, page: PageClient) -> None:
    table = b'title,text\nA,"one, two"\nB,<b>drei</b>\n'
    uploaded = page.upload("in.csv", table, model="gemini-2.5-flash")
    asked = page.get(uploaded.headers["location"])
    assert "{title}" in asked.text
    path, _, query = uploaded.headers["location"].partition("?")
    bad = page.send(f"{path}/lines?{query}", prompt="Say {nothing}", model="gemini-2.5-flash")
    assert bad.status_code == 400
    assert "no column" in words_of(bad.text)
    lines = page.send(f"{path}/lines?{query}", prompt="{title}: {text}", model="gemini-2.5-flash")
    done = finish(http, created(page, lines).removeprefix("/ui/"))
    name = done["name"]
    written = http.get(f"/v1beta/{name}:results").text
    assert "A: one, two" in written
    assert "B: <b>drei</b>" in written


def test_a_batch_of_embeddings_is_made_likewise(http: httpx.Client, page: PageClient) -> None:
    line = json.dumps({"key": "a", "request": {"content": {"parts": [{"text": "x"}]}}}).encode()
    uploaded = page.upload("in.jsonl", line, model="gemini-embedding-001")
    assert "Requests 1 Faulty 0" in figures(page, uploaded)
    path = created(page, uploaded)
    finish(http, path.removeprefix("/ui/"))
    assert "a vector of 8 numbers" in page.text(path)


def test_an_upload_without_a_token_or_a_file_leaves_nothing(
    http: httpx.Client, page: PageClient
) -> None:
    files = {"file": ("in.jsonl", LINES)}
    assert page.http.post("/ui/new", files=files, data={"token": "0"}).status_code == 403
    assert page.http.post("/ui/new", data={"token": page.token()}).status_code == 400
    assert http.get("/v1beta/files").json() == {}


def test_files_are_listed_downloaded_and_deleted(page: PageClient) -> None:
    uploaded = page.upload("a <b>.txt", b"content", to="files")
    assert uploaded.headers["location"] == "/ui/files"
    shown = page.get("/ui/files").text
    assert "a &lt;b&gt;.txt" in shown
    found = re.search(r"/ui/files/([a-z0-9-]+)/content", shown)
    assert found is not None
    content = page.get(f"/ui/files/{found[1]}/content")
    assert content.content == b"content"
    assert "attachment" in content.headers["content-disposition"]
    page.send(f"/ui/files/{found[1]}/delete")
    assert "There are no files" in page.text("/ui/files")


def test_a_model_is_tried_with_a_prompt(page: PageClient) -> None:
    assert "echo-embedder" in page.text("/ui/models")
    answered = words_of(page.send("/ui/models", model="echo", prompt="hello there").text)
    assert "Answer hello there" in answered
    assert '"key": "line-1"' in answered
    vector = words_of(page.send("/ui/models", model="echo-embedder", prompt="x").text)
    assert "a vector of 8 numbers" in vector
    failed = words_of(page.send("/ui/models", model="echo", prompt="please fail").text)
    assert "fails on this request" in failed
    assert page.send("/ui/models", model="nobody", prompt="x").status_code == 404


def secret_in(text: str) -> str:
    found = re.search(r"whsec_[\w+/=]+", text)
    assert found is not None
    return found[0]


def test_webhooks_are_made_tried_and_deleted(open_test_server: OpenServer) -> None:
    with page_of(open_test_server(models=(ECHO,))) as page:
        refused = page.send("/ui/webhooks", uri="http://127.0.0.1/x", name="mine", api="gemini")
        assert refused.status_code == 400
        made = page.send("/ui/webhooks", uri="https://hooks.example/x", name="<i>", api="openai")
        assert "whsec_" in made.text
        assert "&lt;i&gt;" in made.text
        shown = page.get("/ui/webhooks").text
        assert "whsec_" not in shown
        assert "batch.completed" in shown
        found = re.search(r"/ui/webhooks/(\w+)/ping", shown)
        assert found is not None
        assert page.send(f"/ui/webhooks/{found[1]}/ping").status_code == 303
        listed = page.get("/ui/webhooks").text
        delivery = re.search(r"/ui/webhooks/deliveries/(\w+)/resend", listed)
        assert delivery is not None
        assert page.send(f"/ui/webhooks/deliveries/{delivery[1]}/resend").status_code == 303
        rotated = page.send(f"/ui/webhooks/{found[1]}/rotate")
        assert secret_in(rotated.text) != secret_in(made.text)
        page.send(f"/ui/webhooks/{found[1]}/disable")
        assert "disabled" in page.text("/ui/webhooks")
        assert page.send(f"/ui/webhooks/deliveries/{delivery[1]}/resend").status_code == 400
        page.send(f"/ui/webhooks/{found[1]}/enable")
        assert "disabled" not in page.text("/ui/webhooks")
        page.send(f"/ui/webhooks/{found[1]}/delete")
        assert "Nobody is told" in page.text("/ui/webhooks")


def test_deeds_on_the_page_are_in_the_audit_log(server: LocalServer) -> None:
    key = new_key(server, "alpha")
    with page_of(server, key) as page:
        uploaded = page.upload("in.jsonl", LINES, model="gemini-2.5-flash")
        created(page, uploaded)
        shown = page.text("/ui/audit")
    assert re.search(r"key/\w+ batch.create", shown) is not None, shown
    with page_of(server, new_key(server, "beta")) as page:
        assert "batch.create" not in page.text("/ui/audit")


def test_the_first_page_says_what_engines_did_of_late(http: httpx.Client, page: PageClient) -> None:
    RECENT.clear()  # of tests before this one in the same process
    http.post("/v1beta/models/gemini-2.5-flash:generateContent", json=asking("some words"))
    # The worker says it with its next report.
    eventually(lambda: "0% of prompts reused, 95 of 100 calls within" in page.text("/"))


def test_use_is_shown_by_day(http: httpx.Client, page: PageClient) -> None:
    finish(http, create_inline(http, [{"request": asking("some words")}])["name"])
    shown = page.text("/ui/usage")
    assert "Unfinished batches 0 of 100" in shown
    assert re.search(r"20\d\d-\d\d-\d\d \d+ \d+ 0 1 0", shown), shown


def test_the_first_key_that_is_made_closes_the_page(server: LocalServer) -> None:
    with page_of(server) as page:
        made = page.send("/ui/usage/keys", project="default", label="mine", operator="yes")
        key = re.search(r"tpl_[\w-]+", made.text)
        assert key is not None
        assert page.get("/").status_code == 303
        assert page.sign_in(key[0]).status_code == 303
        shown = page.get("/ui/usage").text
        found = re.search(r"/ui/usage/keys/(\w+)/revoke", shown)
        assert found is not None
        page.send(f"/ui/usage/keys/{found[1]}/revoke")
        assert page.get("/").status_code == 303


def test_events_follow_a_batch_to_its_end_and_a_session_to_its(server: LocalServer) -> None:
    key = new_key(server, "alpha")
    with http_of(server, key) as http, page_of(server, key) as page:
        name = create_inline(http, [{"request": asking("x")}])["name"]
        path = f"/ui/events/{name.removeprefix('batches/')}"
        with page.http.stream("GET", path) as events:
            assert events.headers["content-type"].startswith("text/event-stream")
            lines = events.iter_lines()
            assert any(line == "event: ended" for line in lines)
            server.call(server.server.keys.revoke(key[:10]))
            assert any(line == "event: signed-out" for line in lines)
            assert list(lines)[-1] == ""
    with (
        page_of(server, new_key(server, "beta")) as page,
        page.http.stream("GET", "/ui/events") as events,
    ):
        named = {line for line in _some(events.iter_lines()) if line.startswith("event: ")}
    assert {"event: engines", "event: queue", "event: rows", "event: speed"} <= named


def test_a_batch_that_is_deleted_ends_its_events(http: httpx.Client, page: PageClient) -> None:
    name = create_inline(http, [{"request": asking("x")}])["name"]
    finish(http, name)
    path = f"/ui/events/{name.removeprefix('batches/')}"
    with page.http.stream("GET", path) as events:
        lines = events.iter_lines()
        assert next(lines) == "event: batch"
        http.delete(f"/v1beta/{name}")
        assert "was deleted" in " ".join(lines)


def _some(lines: Iterator[str]) -> list[str]:
    """Return the first round of events."""
    seen: list[str] = []
    for line in lines:
        seen.append(line)
        if line == "event: speed":
            break
    return seen
