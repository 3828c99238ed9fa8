"""Quotas: what is refused, in which words, and when there is room again."""

from datetime import timedelta
from typing import Any

import httpx2 as httpx
import pytest

from support.api.batch_calls import asking, create_inline, finish, upload_lines
from support.api.local_server import ECHO, LocalServer, OpenServer, http_of
from support.fake_clock import FakeClock
from toplu.job import ProjectId
from toplu.settings.server import EchoSettings, ModelSettings, TierSettings

DEFAULT = ProjectId("default")
FLASH = "/v1beta/models/gemini-2.5-flash"
SLOW = ModelSettings(
    name="echo", aliases=ECHO.aliases, engine="echo", echo=EchoSettings(delay_seconds=3600)
)
BODY = {"batch": {"inputConfig": {"requests": {"requests": [{"request": asking("x" * 100)}]}}}}
TYPE = "type.googleapis.com/google.rpc."


def refusal_of(reply: httpx.Response, quota: str, limit: int, *, model: str | None = None) -> Any:
    """Check that the reply is what a project gets that has used up a quota."""
    assert reply.status_code == 429, reply.text
    error = reply.json()["error"]
    assert (error["code"], error["status"]) == (429, "RESOURCE_EXHAUSTED")
    assert error["message"].startswith("You exceeded your current quota, please check your plan")
    details = {detail.pop("@type"): detail for detail in error["details"]}
    dimensions = {"location": "global"} | ({} if model is None else {"model": model})
    assert details[f"{TYPE}QuotaFailure"] == {
        "violations": [
            {
                "quotaMetric": f"generativelanguage.googleapis.com/{quota}",
                "quotaId": "".join(word.title() for word in quota.split("_")),
                "quotaDimensions": dimensions,
                "quotaValue": str(limit),
            }
        ]
    }
    (link,) = details[f"{TYPE}Help"]["links"]
    assert link.keys() == {"description", "url"}
    retry = details.get(f"{TYPE}RetryInfo")
    assert (retry and retry["retryDelay"]) == (
        f"{reply.headers['retry-after']}s" if "retry-after" in reply.headers else None
    )
    return retry


@pytest.mark.parametrize("end", ["cancel", "delete"])
def test_enqueued_tokens_are_bounded_and_come_back_at_once(
    open_test_server: OpenServer, end: str
) -> None:
    tier = TierSettings(name="small", enqueued_tokens=60)
    with http_of(open_test_server(models=(SLOW,), tiers=(tier,))) as http:
        create = f"{FLASH}:batchGenerateContent"
        first = http.post(create, json=BODY).json()["name"]
        refused = http.post(create, json=BODY)
        model = "gemini-2.5-flash"
        assert refusal_of(refused, "batch_enqueued_tokens", 60, model=model)
        # Another of its names is the same model.
        pro = http.post("/v1beta/models/gemini-2.5-pro:batchGenerateContent", json=BODY)
        assert pro.status_code == 429
        assert http.post(f"/v1beta/{first}:{end}").status_code == 200
        assert http.post(create, json=BODY).status_code == 200


def test_enqueued_tokens_come_back_when_a_batch_ends(
    open_test_server: OpenServer,
) -> None:
    tier = TierSettings(name="small", enqueued_tokens_of={"echo": 60})
    with http_of(open_test_server(tiers=(tier,))) as http:
        for _ in range(3):
            created = http.post(f"{FLASH}:batchGenerateContent", json=BODY)
            assert created.status_code == 200, created.text
            finish(http, created.json()["name"])


def test_enqueued_tokens_come_back_when_a_batch_expires(open_test_server: OpenServer) -> None:
    clock = FakeClock()
    tier = TierSettings(name="small", enqueued_tokens=60)
    server = open_test_server(models=(SLOW,), tiers=(tier,), clock=clock)
    with http_of(server) as http:
        assert http.post(f"{FLASH}:batchGenerateContent", json=BODY).status_code == 200
        assert http.post(f"{FLASH}:batchGenerateContent", json=BODY).status_code == 429
        clock.advance(timedelta(hours=49))
        server.call(server.server.pipeline.tidy())
        assert http.post(f"{FLASH}:batchGenerateContent", json=BODY).status_code == 200


def test_a_batch_that_can_never_fit_is_not_asked_to_try_again(open_test_server: OpenServer) -> None:
    tier = TierSettings(name="small", enqueued_tokens=10)
    with http_of(open_test_server(tiers=(tier,))) as http:
        refused = http.post(f"{FLASH}:batchGenerateContent", json=BODY)
        model = "gemini-2.5-flash"
        assert refusal_of(refused, "batch_enqueued_tokens", 10, model=model) is None
        name = upload_lines(http, [b'{"request": {"contents": [{"parts": [{"text": "x"}]}]}}'])
        body = {"batch": {"inputConfig": {"fileName": name}}}
        assert http.post(f"{FLASH}:batchGenerateContent", json=body).status_code == 429
        assert http.get("/v1beta/batches").json() == {}


def test_concurrent_batches_are_those_of_the_tier(open_test_server: OpenServer) -> None:
    tier = TierSettings(name="small", concurrent_batches=1)
    with http_of(open_test_server(models=(SLOW,), tiers=(tier,))) as http:
        create_inline(http, [{"request": asking("x")}])
        refused = http.post(f"{FLASH}:batchGenerateContent", json=BODY)
        assert refusal_of(refused, "batch_concurrent_batches", 1)


def test_storage_is_that_of_the_tier(open_test_server: OpenServer) -> None:
    tier = TierSettings(name="small", storage_bytes=20)
    raw = {"X-Goog-Upload-Protocol": "raw", "Content-Type": "text/plain"}
    with http_of(open_test_server(tiers=(tier,))) as http:
        kept = http.post("/upload/v1beta/files", content=b"x" * 15, headers=raw)
        refused = http.post("/upload/v1beta/files", content=b"x" * 15, headers=raw)
        assert refusal_of(refused, "file_storage_bytes", 20)
        http.delete(f"/v1beta/{kept.json()['file']['name']}")
        assert http.post("/upload/v1beta/files", content=b"x" * 15, headers=raw).status_code == 200


def ask(http: httpx.Client, text: str = "one two three") -> httpx.Response:
    return http.post(f"{FLASH}:generateContent", json=asking(text))


def test_requests_per_minute_are_bounded(open_test_server: OpenServer) -> None:
    clock = FakeClock()
    tier = TierSettings(name="small", requests_per_minute=2)
    with http_of(open_test_server(tiers=(tier,), clock=clock)) as http:
        assert [ask(http).status_code for _ in range(2)] == [200, 200]
        refused = ask(http)
        quota = "generate_content_requests_per_minute"
        assert refusal_of(refused, quota, 2, model="echo") == {"retryDelay": "30s"}
        clock.advance(timedelta(seconds=30))
        assert [ask(http).status_code for _ in range(2)] == [200, 429]


def test_tokens_per_minute_are_bounded(open_test_server: OpenServer) -> None:
    clock = FakeClock()
    tier = TierSettings(name="small", tokens_per_minute=6)
    with http_of(open_test_server(tiers=(tier,), clock=clock)) as http:
        assert ask(http).status_code == 200  # three words read, three written
        refused = ask(http)
        quota = "generate_content_tokens_per_minute"
        assert refusal_of(refused, quota, 6, model="echo") == {"retryDelay": "10s"}
        clock.advance(timedelta(seconds=10))
        assert [ask(http).status_code for _ in range(2)] == [200, 429]


def test_the_rates_of_interactive_calls_do_not_hold_for_batches(
    open_test_server: OpenServer,
) -> None:
    tier = TierSettings(name="small", requests_per_minute=1, tokens_per_minute=1)
    with http_of(open_test_server(tiers=(tier,))) as http:
        done = finish(http, create_inline(http, [{"request": asking("x y")}] * 9)["name"])
        assert done["metadata"]["batchStats"]["successfulRequestCount"] == "9"


def test_a_call_with_more_requests_than_a_minute_allows_waits_for_a_full_minute(
    open_test_server: OpenServer,
) -> None:
    clock = FakeClock()
    embedder = ModelSettings(name="vectors", engine="echo_embedder")
    tier = TierSettings(name="small", requests_per_minute=2)
    with http_of(open_test_server(models=(embedder,), tiers=(tier,), clock=clock)) as http:
        one = {"model": "models/vectors", "content": {"parts": [{"text": "x"}]}}
        path, body = "/v1beta/models/vectors:batchEmbedContents", {"requests": [one] * 4}
        assert http.post(path, json=body).status_code == 200
        assert http.post(path, json=body).headers["retry-after"] == "120"


def test_a_project_gets_another_tier_while_the_server_runs(open_test_server: OpenServer) -> None:
    clock = FakeClock()
    small = TierSettings(name="small", requests_per_minute=1)
    server: LocalServer = open_test_server(tiers=(small, TierSettings(name="large")), clock=clock)
    with http_of(server) as http:
        assert [ask(http).status_code for _ in range(2)] == [200, 429]
        server.call(server.server.quotas.set_tier(DEFAULT, "large"))
        assert [ask(http).status_code for _ in range(3)] == [200] * 3


def test_projects_have_rates_of_their_own(open_test_server: OpenServer) -> None:
    server = open_test_server(tiers=(TierSettings(name="small", requests_per_minute=1),))
    keys = [server.call(server.server.keys.create(ProjectId(name), "")) for name in ("a", "b")]
    for key in keys:
        with http_of(server, key=key) as http:
            assert [ask(http).status_code for _ in range(2)] == [200, 429]
