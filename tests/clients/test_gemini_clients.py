"""Libraries and programs that others wrote for the Gemini API, unmodified but for the address."""

import json
from pathlib import Path

import httpx2 as httpx
import pytest

from support.api.local_server import LocalServer
from support.programs import NODE_MODULES, Programs

pytestmark = pytest.mark.system

CITY = {"name": "", "big": True}  # the least value that the echo engine finds


def test_vercels_ai_talks_through_its_google_provider(
    server: LocalServer, programs: Programs
) -> None:
    assert programs.node("ai_google.mjs", server.url) == {
        "text": "one two three",
        "finish": "stop",
        "tokens": [3, 3],
        "streamed": "four five six",
        "object": CITY,
        "calls": [["weather", ["city"]]],
        "dimensions": 8,
    }


def test_langchain_talks_through_its_google_provider(
    server: LocalServer, programs: Programs
) -> None:
    assert programs.python("langchain_google.py", server.url) == {
        "text": "one two three",
        "tokens": [3, 3],
        "streamed": "four five six",
        "object": CITY,
        "calls": [["weather", ["city"]]],
        "dimensions": [8, 8],
    }


def test_litellm_talks_through_its_gemini_provider(server: LocalServer, programs: Programs) -> None:
    assert programs.python("litellm_google.py", server.url) == {
        "text": "one two three",
        "finish": "stop",
        "tokens": [3, 3],
    }


def test_inspect_ai_evaluates_in_a_batch_by_the_gemini_api(
    server: LocalServer, programs: Programs, http: httpx.Client
) -> None:
    outcome = programs.python("inspect_evaluation.py", server.url, "google/gemini-2.5-flash")
    assert outcome == {"status": "success", "samples": 20, "accuracy": 1.0}
    (batch,) = http.get("/v1beta/batches").json()["operations"]
    assert batch["metadata"]["batchStats"]["successfulRequestCount"] == "20"


# A home in which the Gemini CLI asks nothing before it starts.
CLI_SETTINGS = {
    "security": {"auth": {"selectedType": "gemini-api-key"}},
    "privacy": {"usageStatisticsEnabled": False},
    "general": {"enableAutoUpdate": False},
}


def test_the_gemini_cli_answers_one_prompt(
    server: LocalServer, programs: Programs, home: Path
) -> None:
    settings = home / ".gemini" / "settings.json"
    settings.parent.mkdir()
    settings.write_text(json.dumps(CLI_SETTINGS))
    answer = programs.run(
        str(NODE_MODULES / ".bin" / "node"),
        str(NODE_MODULES / ".bin" / "gemini"),
        *("--skip-trust", "-m", "gemini-2.5-flash", "-p", "say hello"),
        environment={"GEMINI_API_KEY": "any", "GOOGLE_GEMINI_BASE_URL": server.url},
    )
    # The echo engine says the whole prompt again, and that ends with the question.
    assert answer.rstrip().endswith("say hello")
