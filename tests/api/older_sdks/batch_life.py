"""The life of batches as a program of some version of Google's SDK for Python leads it.

    batch_life.py URL VERSION   prints what it saw as one JSON object

It runs with the packages of that version alone, and uses of the SDK only what every version has,
but for what it asks `CAN` about.
"""

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from google import genai

POLL_SECONDS = 0.05
TRIES_MAX = 400
URL, VERSION = sys.argv[1:]
# What a version cannot do yet, though a user could ask it to.
CAN = {
    "metadata": VERSION != "1.24.0",
    "metadata of results": VERSION not in {"1.24.0", "1.47.0", "1.60.0"},
    "embeddings": VERSION != "1.24.0",
    "thinking": VERSION != "1.24.0",
}
FINAL = {"JOB_STATE_SUCCEEDED", "JOB_STATE_FAILED", "JOB_STATE_CANCELLED", "JOB_STATE_EXPIRED"}
SAFETY = [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}]
MODEL = "gemini-2.5-flash"

client = genai.Client(api_key="any", http_options={"base_url": URL})


def wait_for(name: str) -> Any:
    for _ in range(TRIES_MAX):
        job = client.batches.get(name=name)
        if job.state.name in FINAL:
            return job
        time.sleep(POLL_SECONDS)
    raise TimeoutError(name)


def seen(response: Any) -> dict[str, Any]:
    (candidate,) = response.candidates
    return {
        "text": "".join(part.text for part in candidate.content.parts),
        "finish": candidate.finish_reason.name,
        "prompt_tokens": response.usage_metadata.prompt_token_count,
        "queries": candidate.grounding_metadata and candidate.grounding_metadata.web_search_queries,
    }


def requests() -> list[dict[str, Any]]:
    config: dict[str, Any] = {
        "system_instruction": "be nice",
        "safety_settings": SAFETY,
        "temperature": 0.5,
        "max_output_tokens": 3,
    }
    if CAN["thinking"]:
        config["thinking_config"] = {"thinking_budget": 0}
    searching = {"tools": [{"google_search": {}}], "system_instruction": "be nice"}
    made: list[dict[str, Any]] = [
        {"contents": [{"parts": [{"text": "one two three four"}], "role": "user"}]},
        {"contents": "who won the euro?", "config": searching},
        {"contents": "please fail"},
    ]
    made[0]["config"] = config
    if CAN["metadata"]:
        made[0]["metadata"] = {"key": "first"}
    return made


def live_inline() -> dict[str, Any]:
    created = client.batches.create(model=MODEL, src=requests(), config={"display_name": "inline"})
    job = wait_for(created.name)
    results = job.dest.inlined_responses
    return {
        "created": created.state.name,
        "state": job.state.name,
        "display_name": job.display_name,
        "results": [seen(each.response) if each.response else None for each in results],
        "errors": [each.error.message if each.error else None for each in results],
        "metadata": [each.metadata for each in results] if CAN["metadata of results"] else None,
    }


def live_from_a_file() -> dict[str, Any]:
    request = {
        "contents": [{"parts": [{"text": "one two"}], "role": "user"}],
        "system_instruction": {"parts": [{"text": "be nice"}]},
        "tools": [{"google_search": {}}],
        "safety_settings": SAFETY,
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "requests.jsonl"
        path.write_text(json.dumps({"key": "a", "request": request}) + "\n", encoding="utf-8")
        file = client.files.upload(
            file=str(path), config={"display_name": "lines", "mime_type": "jsonl"}
        )
    job = wait_for(client.batches.create(model=MODEL, src=file.name).name)
    (line,) = client.files.download(file=job.dest.file_name).splitlines()
    listed = [each.name for each in client.files.list()]
    client.files.delete(name=file.name)
    return {
        "state": job.state.name,
        "line": json.loads(line),
        "was_listed": file.name in listed,
        "is_listed": file.name in [each.name for each in client.files.list()],
    }


def live_embedding() -> list[int] | None:
    if not CAN["embeddings"]:
        return None
    job = client.batches.create_embeddings(
        model="gemini-embedding-001",
        src={
            "inlined_requests": {
                "contents": ["one", "two"],
                "config": {"output_dimensionality": 5},
            }
        },
    )
    results = wait_for(job.name).dest.inlined_embed_content_responses
    return [len(each.response.embedding.values) for each in results]


def live_a_cancelled_one() -> dict[str, Any]:
    job = client.batches.create(model="gemini-slow", src=[{"contents": "never answered"}])
    client.batches.cancel(name=job.name)
    cancelled = client.batches.get(name=job.name).state.name
    before = job.name in [each.name for each in client.batches.list(config={"page_size": 2})]
    client.batches.delete(name=job.name)
    after = job.name in [each.name for each in client.batches.list(config={"page_size": 2})]
    return {"state": cancelled, "listed": [before, after]}


answer = client.models.generate_content(model=MODEL, contents="one two")
print(
    json.dumps(
        {
            "version": genai.__version__,
            "answer": answer.text,
            "inline": live_inline(),
            "file": live_from_a_file(),
            "embeddings": live_embedding(),
            "cancelled": live_a_cancelled_one(),
        }
    )
)
