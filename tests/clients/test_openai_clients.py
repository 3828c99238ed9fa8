"""Libraries and programs that others wrote for OpenAI's API, unmodified but for the address."""

from pathlib import Path

import pytest

from support.api.local_server import LocalServer
from support.api.openai_calls import openai_http
from support.programs import PYTHON, Programs

pytestmark = pytest.mark.system

CITY = {"name": "", "big": True}  # the least value that the echo engine finds
ANSWERS = {
    "text": "one two three",
    "tokens": [3, 3],
    "streamed": "four five six",
    "object": CITY,
    "calls": [["weather", ["city"]]],
}
# A model of the `llm` command, by its own configuration.
LLM_MODEL = """
- model_id: ours
  model_name: gemini-2.5-flash
  api_base: {url}/openai/v1
  api_key_name: ours
"""


def test_openais_sdk_for_javascript_leads_calls_and_a_batch(
    server: LocalServer, programs: Programs
) -> None:
    assert programs.node("openai_node.mjs", server.url) == {
        "text": "one two three",
        "tokens": 6,
        "streamed": "one two three",
        "dimensions": [8, 8],
        "refused": ["BadRequestError", 400, "temperature"],
        "file": ["input.jsonl", "batch"],
        "counts": {"total": 2, "completed": 1, "failed": 1},
        "good": ["c0", "one"],
        "bad": ["c1", 500],
        "listed": [True],
    }


def test_vercels_ai_talks_through_its_openai_provider(
    server: LocalServer, programs: Programs
) -> None:
    seen = programs.node("ai_openai.mjs", server.url)
    assert seen == ANSWERS | {"finish": "stop", "dimensions": 8}


def test_langchain_talks_through_its_openai_provider(
    server: LocalServer, programs: Programs
) -> None:
    seen = programs.python("langchain_openai_chat.py", server.url)
    assert seen == ANSWERS | {"dimensions": [8, 8]}


def test_litellm_leads_a_batch(server: LocalServer, programs: Programs) -> None:
    assert programs.python("litellm_batch.py", server.url) == {
        "text": "one two three",
        "status": "completed",
        "line": "one two",
    }


def test_inspect_ai_evaluates_in_a_batch_by_openais_api(
    server: LocalServer, programs: Programs
) -> None:
    url = f"{server.url}/openai/v1"
    outcome = programs.python("inspect_evaluation.py", url, "openai/gemini-2.5-flash")
    assert outcome == {"status": "success", "samples": 20, "accuracy": 1.0}
    with openai_http(server) as http:
        (batch,) = http.get("/batches").json()["data"]
    assert batch["request_counts"] == {"total": 20, "completed": 20, "failed": 0}


def test_the_llm_command_answers_one_prompt(
    server: LocalServer, programs: Programs, home: Path
) -> None:
    (home / "extra-openai-models.yaml").write_text(LLM_MODEL.format(url=server.url))
    answer = programs.run(
        str(PYTHON.with_name("llm")),
        *("-m", "ours", "--key", "any", "one two three"),
        environment={"LLM_USER_PATH": str(home)},
    )
    assert answer.strip() == "one two three"
