"""Asks a running server for an answer to each schema of a file, and validates those that stop.

    schema_serving.py FILE.jsonl[.gz] URL [--model NAME] [--draw N] [--seed N]

FILE has one object a line, the schema under `schema` and a name under `id`. The requests are lines
of one batch. Another library than the server's validates: exit 1 if an answer with STOP fails.
"""

import argparse
import io
import json
import random
import re
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
from google import genai
from google.genai import types
from schema_walk import read_rows

POLL_SECONDS = 1.0
QUESTION = "Fill in the form."
LISTED = 20


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("url")
    parser.add_argument("--model", default="gemini-2.5-flash")
    parser.add_argument("--draw", type=int, help="so many schemas, drawn by the seed")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rows = list(read_rows(options.file))
    if options.draw is not None:
        rows = random.Random(options.seed).sample(rows, options.draw)
    began = time.monotonic()
    results = _run(
        genai.Client(api_key="any", http_options={"base_url": options.url}), rows, options.model
    )
    outcomes: Counter[str] = Counter()
    for row, result in zip(rows, results, strict=True):
        outcome, detail = _outcome(row["schema"], result)
        outcomes[outcome] += 1
        if outcome not in ("valid", "MAX_TOKENS") and outcomes[outcome] <= LISTED:
            print(f"{outcome}: {row['id']}: {detail}")
    print(dict(outcomes))
    share = outcomes["valid"] / len(rows)
    print(f"{len(rows)} schemas, {share:.3f} served and valid, {time.monotonic() - began:.0f} s")
    raise SystemExit(outcomes["not valid"] > 0)


def _run(client: genai.Client, rows: list[dict[str, Any]], model: str) -> Iterator[dict[str, Any]]:
    """Yield the result line of each row, in their order."""
    content = b"".join(json.dumps(_line(row)).encode() + b"\n" for row in rows)
    file = client.files.upload(file=io.BytesIO(content), config={"mime_type": "application/jsonl"})
    job = client.batches.create(model=model, src=file.name)
    while not job.done:
        time.sleep(POLL_SECONDS)
        job = client.batches.get(name=job.name or "")
    assert job.state is types.JobState.JOB_STATE_SUCCEEDED, job.error
    assert job.dest is not None
    assert job.dest.file_name is not None
    yield from map(json.loads, client.files.download(file=job.dest.file_name).splitlines())


def _line(row: dict[str, Any]) -> dict[str, Any]:
    config = {
        "responseMimeType": "application/json",
        "responseJsonSchema": row["schema"],
        "temperature": 0,
    }
    contents = [{"role": "user", "parts": [{"text": QUESTION}]}]
    return {"key": str(row["id"]), "request": {"contents": contents, "generationConfig": config}}


def _outcome(schema: Any, result: dict[str, Any]) -> tuple[str, str]:
    """Return what became of a request, and what there is to say of it."""
    if "error" in result:
        message = result["error"]["message"].strip()
        return f"error {result['error']['code']}", re.sub(r"\s+", " ", message)[-160:]
    candidate = result["response"]["candidates"][0]
    if candidate["finishReason"] != "STOP":
        return candidate["finishReason"], candidate.get("finishMessage", "")
    text = "".join(part.get("text", "") for part in candidate["content"]["parts"])
    kind = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)
    try:
        with warnings.catch_warnings(action="ignore"):
            kind(schema).validate(json.loads(text))
    except (ValueError, jsonschema.ValidationError) as error:
        return "not valid", str(error).partition("\n")[0]
    return "valid", ""


if __name__ == "__main__":
    main()
