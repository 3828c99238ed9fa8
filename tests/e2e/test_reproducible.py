"""A line has the same bytes in a batch, in another one, and as a call."""

import subprocess
from pathlib import Path

import pytest

from support.jobs import KEY, create_job, finished_job, greedy_question, results_of
from support.model_tables import quick_model
from support.server import TOPLU, Server, clean_environment, started_server
from support.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.system

# With a beginning in common, which another model would read once.
LINES = [
    greedy_question(number, f"You are a careful librarian. Describe book {number}.")
    for number in range(8)
]


def answer_alone(server: Server, request: object) -> object:
    path = "/v1beta/models/gemini-2.5-flash:generateContent"
    reply = server.call("POST", path, request, key=KEY)
    assert reply.status == 200, reply.body
    return reply.json()["candidates"]


def test_a_line_has_the_same_bytes_in_a_batch_as_alone(tmp_path: Path) -> None:
    config = quick_model(24, lanes=1, reproducible=True)
    with started_server(tmp_path, config=config) as server:
        alone = [answer_alone(server, line["request"]) for line in reversed(LINES)]
        name = create_job(server, LINES)
        finished_job(server, name)
        results = results_of(server, name)
        assert [it["response"]["candidates"] for it in results] == alone[::-1]
        cached = [it["response"]["usageMetadata"].get("cachedContentTokenCount") for it in results]
        assert not any(cached)
        receipt = server.call("GET", f"/v1beta/{name}:receipt", key=KEY).json()
        (computed,) = receipt["reproducibility"]
        assert (computed["engine"], computed["lanes"]) == ("llama_cpp", 1)
        assert computed["reproducible"] is True
        assert computed["seeds"] == "of the request, else 0"
        assert all(len(computed[sum_]) == 64 for sum_ in ("modelSha256", "templateSha256"))
        verified = subprocess.run(
            [str(TOPLU), "batches", "verify", name, "--sample", "4"],
            env=clean_environment() | {"TOPLU_URL": server.url, "GEMINI_API_KEY": KEY},
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        assert verified.returncode == 0, verified.stderr
        assert "4 of 4 answers are equal, byte for byte" in verified.stdout
        kept = server.call("GET", "/v1beta/batches", key=KEY).json()["operations"]
        assert [it["name"] for it in kept] == [name]
