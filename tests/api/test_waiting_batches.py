"""The wait status of unfinished batches, on the wire."""

from typing import Any

import httpx2 as httpx
import pytest

from support.api.batch_calls import asking, create_inline, finish, operation
from support.api.local_server import SLOW, OpenServer, http_of
from support.waiting import eventually
from toplu.replica import Capacity
from toplu.workers.roster import Present


def waiting_of(http: httpx.Client, name: str) -> dict[str, Any]:
    return operation(http, name)["metadata"]["toplu"]["waiting"]


def test_a_batch_says_what_it_waits_for(
    open_test_server: OpenServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = open_test_server(models=(SLOW,))
    with http_of(server) as http:
        first = create_inline(http, [{"request": asking("x")}])
        assert {"reason", "message", "position", "lanes"} <= first["metadata"]["toplu"][
            "waiting"
        ].keys()
        eventually(lambda: waiting_of(http, first["name"])["reason"] == "RUNNING")
        assert waiting_of(http, first["name"])["lanes"] == {"busy": 1, "total": 1}
        second = create_inline(http, [{"request": asking("y")}])["name"]
        eventually(lambda: waiting_of(http, second)["reason"] == "QUEUED")
        waiting = waiting_of(http, second)
        assert waiting["position"] == 2
        assert int(waiting["tokensAhead"]) > 0
        extension = operation(http, second)["metadata"]["toplu"]
        assert "expectedFinish" not in extension, "no speed was measured"
        assert "warnings" not in extension
        # When the clock, or the speed, says so, the range and the warning appear by themselves.
        slow = [Capacity(lanes=1, work_per_second=0.001)]
        monkeypatch.setattr(Present, "capacities", lambda *_, **__: slow)
        late = eventually(lambda: operation(http, second)["metadata"]["toplu"].get("warnings"))
        assert "expires" in late[0]
        expected = operation(http, second)["metadata"]["toplu"]["expectedFinish"]
        assert expected["earliest"] < expected["latest"]
        listed = http.get("/v1beta/batches").json()["operations"]
        assert all("waiting" in one["metadata"]["toplu"] for one in listed)
        http.post(f"/v1beta/{second}:cancel")
        assert "waiting" not in operation(http, second)["metadata"]["toplu"]


def test_a_batch_that_is_done_waits_for_nothing(http: httpx.Client) -> None:
    done = finish(http, create_inline(http, [{"request": asking("x")}])["name"])
    assert {"waiting", "expectedFinish", "warnings"}.isdisjoint(done["metadata"]["toplu"])
