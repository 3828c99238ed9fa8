"""Batches run within the hours and the money of their projects, and say so where they wait."""

import json
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any

import httpx2 as httpx
import pytest
from google.genai import types
from msgspec.structs import replace

from support.api.batch_calls import (
    asking,
    create_from_file,
    create_inline,
    finish,
    operation,
    upload_lines,
    wait_until_final,
)
from support.api.local_server import ECHO, OpenServer, client_of, http_of
from support.api.openai_batches import chat_line, create
from support.api.openai_calls import openai_client, openai_http
from support.fake_clock import NOON
from support.waiting import eventually
from toplu.clock import SystemClock
from toplu.job import ProjectId
from toplu.settings.model import EchoSettings, PriceSettings
from toplu.settings.server import TierSettings

NIGHT = TierSettings(name="night", run="22:00-06:00", time_zone="Europe/Berlin")
# An answer of two words costs two millionths in a call, and in a batch one.
PAID = replace(
    ECHO, lanes=1, price=PriceSettings(output="1"), echo=EchoSettings(word_seconds=0.002)
)
IN_FLIGHT = 2  # one runs on the lane, and one is behind it
DEFAULT = ProjectId("default")


class ClockAhead(SystemClock):
    """A clock that goes on, and that a test puts forward."""

    def __init__(self) -> None:
        self.ahead = NOON - super().now()

    def now(self) -> datetime:
        return super().now() + self.ahead


def extension_of(http: httpx.Client, name: str) -> dict[str, Any]:
    found: dict[str, Any] = operation(http, name)["metadata"]["toplu"]
    return found


def wait_for(http: httpx.Client, name: str, reason: str) -> dict[str, Any]:
    """Return what the batch says once it waits for that."""

    def waits() -> dict[str, Any] | None:
        found = extension_of(http, name)
        return found if found["waiting"]["reason"] == reason else None

    return eventually(waits)


def done(http: httpx.Client, name: str) -> int:
    stats = operation(http, name)["metadata"].get("batchStats", {})
    return int(stats.get("successfulRequestCount", 0))


def test_a_batch_waits_for_the_hours_of_its_project(open_test_server: OpenServer) -> None:
    clock = ClockAhead()
    server = open_test_server(tiers=(NIGHT,), clock=clock)
    with http_of(server) as http, closing(client_of(server)) as client:
        job = client.batches.create(
            model="gemini-2.5-flash",
            src=[types.InlinedRequest(contents="x") for _ in range(3)],
        )
        assert job.name
        said = wait_for(http, job.name, "WINDOW")
        assert "22:00-06:00 Europe/Berlin" in said["waiting"]["message"]
        assert "T21:00:00" in said["waiting"]["message"]
        assert "warnings" not in said
        assert client.models.generate_content(model="gemini-2.5-flash", contents="y").text == "y"
        clock.ahead += timedelta(hours=10)
        # It begins by itself; another batch has the lanes look at once.
        other = create_inline(http, [{"request": asking("z")}])["name"]
        assert wait_until_final(client, job.name).state is types.JobState.JOB_STATE_SUCCEEDED
        finish(http, other)


@pytest.mark.parametrize(("life", "words"), [(3600, "T21:00:00"), (48 * 3600, None)])
def test_a_target_that_the_hours_make_impossible_is_told_at_create(
    open_test_server: OpenServer, life: float, words: str | None
) -> None:
    server = open_test_server(tiers=(NIGHT,), clock=ClockAhead(), job_life_seconds=life)
    with http_of(server) as http:
        made = create_inline(http, [{"request": asking("x")}])
        warnings = made["metadata"]["toplu"].get("warnings", [])
        assert [words in warning for warning in warnings] == [True] * (words is not None)


def spend(http: httpx.Client) -> tuple[str, dict[str, Any]]:
    """Have a batch begin that costs more than it may; return its name, and why it waits."""
    lines = [json.dumps({"key": f"k{n}", "request": asking(f"word {n}")}) for n in range(100)]
    name = create_from_file(http, upload_lines(http, map(str.encode, lines))).json()["name"]
    return name, wait_for(http, name, "BUDGET")


def test_a_batch_waits_when_its_project_has_spent_what_it_may_on_a_day(
    open_test_server: OpenServer,
) -> None:
    clock = ClockAhead()
    tier = TierSettings(name="thrifty", spend_per_day="0.00002")
    server = open_test_server(models=(PAID,), tiers=(tier,), clock=clock, commit_seconds=0.001)
    with http_of(server) as http:
        name, said = spend(http)
        assert "2026-11-23T00:00:00" in said["waiting"]["message"]
        spent = done(http, name)
        assert 20 <= spent <= 20 + IN_FLIGHT
        # Five days are needed in all, and its target is one.
        assert "expires" in said["warnings"][0]
        refused = http.post(
            "/v1beta/models/gemini-2.5-flash:generateContent", json=asking("one two")
        )
        assert refused.status_code == 429
        assert "SpendPerDay" in refused.text
        assert 11 * 3600 < int(refused.headers["retry-after"]) <= 12 * 3600
        clock.ahead += timedelta(hours=12)
        create_inline(http, [{"request": asking("one two")}])
        eventually(lambda: done(http, name) > spent + IN_FLIGHT)
        assert wait_for(http, name, "BUDGET")


def test_a_batch_waits_when_it_has_cost_what_one_may(open_test_server: OpenServer) -> None:
    tiers = (TierSettings(name="thrifty", spend_per_batch="0.00002"), TierSettings(name="free"))
    server = open_test_server(models=(PAID,), tiers=tiers, commit_seconds=0.001)
    with http_of(server) as http:
        name, said = spend(http)
        assert "spend more on a batch" in said["waiting"]["message"]
        assert {"expectedFinish", "warnings"}.isdisjoint(said)
        assert 20 <= done(http, name) <= 20 + IN_FLIGHT
        small = create_inline(http, [{"request": asking("one two")}])["name"]
        finish(http, small)
        server.call(server.server.quotas.set_tier(DEFAULT, "free"))
        finish(http, create_inline(http, [{"request": asking("one two")}])["name"])
        assert finish(http, name)["metadata"]["batchStats"]["successfulRequestCount"] == "100"


def test_the_other_api_says_it_as_well(open_test_server: OpenServer) -> None:
    server = open_test_server(tiers=(NIGHT,), clock=ClockAhead())
    with openai_client(server) as sdk, openai_http(server) as http:
        batch = create(sdk, [chat_line("a", "x")])

        def waits() -> bool:
            found = http.get(f"/batches/{batch.id}").json()
            return "22:00-06:00" in found["toplu"].get("waits_because", "")

        eventually(waits)
        assert sdk.batches.retrieve(batch.id).status in {"validating", "in_progress"}
