"""The specification's examples for embeddings, in Python and JavaScript, on the real model."""

import json
import math
from typing import Any

import pytest

from support.server import Server
from support.specification.batches import Batches
from support.specification.examples import Examples, Finished, Given, given

pytestmark = pytest.mark.model

MODEL = "models/gemini-embedding-001"
TEXTS = ["A cat sleeps on the sofa.", "A kitten naps on the couch.", "Shares fell on Monday."]

PYTHON_STEPS = given(f"""
import json
from google import genai
client = genai.Client()
with open("embeddings.jsonl", "w") as file:
    for number, text in enumerate({TEXTS!r}):
        request = {{"content": {{"parts": [{{"text": text}}]}}, "output_dimensionality": 128}}
        file.write(json.dumps({{"key": f"request_{{number}}", "request": request}}) + "\\n")
uploaded_batch_requests = client.files.upload(
    file="embeddings.jsonl", config={{"mime_type": "jsonl"}}
)
inlined_requests = {{"contents": {TEXTS!r}, "config": {{"task_type": "SEMANTIC_SIMILARITY"}}}}
""")
PYTHON_NAMES = given("print(file_job.name)\nprint(batch_job.name)")

JAVASCRIPT_STEPS = given(f"""
import {{writeFileSync}} from 'fs';
import {{GoogleGenAI}} from '@google/genai';
const client = new GoogleGenAI({{apiKey: process.env.GEMINI_API_KEY}});
const texts = {json.dumps(TEXTS)};
writeFileSync('embeddings.jsonl', texts.map((text, number) => JSON.stringify({{
    key: `request_${{number}}`,
    request: {{content: {{parts: [{{text}}]}}, outputDimensionality: 128}},
}})).join('\\n'));
const uploadedBatchRequests = await client.files.upload({{
    file: 'embeddings.jsonl', config: {{mimeType: 'jsonl'}},
}});
const inlinedRequests = {{contents: texts, config: {{taskType: 'SEMANTIC_SIMILARITY'}}}};
""")
JAVASCRIPT_CLIENT = given(
    "import {GoogleGenAI} from '@google/genai';\n"
    "import {readFileSync} from 'fs';\n"
    "const ai = new GoogleGenAI({apiKey: process.env.GEMINI_API_KEY});"
)


def run_experimental(examples: Examples, *parts: str | Given) -> Finished:
    """Run the parts; all that may be on stderr is the SDK's warning."""
    finished = examples.start(*parts).finish()
    assert finished.code == 0, finished.stdout + finished.stderr
    assert "Error" not in finished.stderr, finished.stderr
    return finished


@pytest.fixture(scope="module")
def python_jobs(python: Examples) -> list[str]:
    finished = run_experimental(python, PYTHON_STEPS, "create_embeddings", PYTHON_NAMES)
    return finished.stdout.split()


@pytest.fixture(scope="module")
def javascript_jobs(javascript: Examples) -> list[str]:
    finished = run_experimental(javascript, JAVASCRIPT_STEPS, "create_embeddings")
    lines = [line for line in finished.stdout.splitlines() if line.startswith("Created")]
    return [line.removeprefix("Created batch job: ") for line in lines]


def check_file_job(batches: Batches, server: Server, name: str) -> str:
    """Return the results file of the job."""
    metadata = batches.finished(name)["metadata"]
    assert metadata["displayName"] == "Input embeddings batch"
    assert metadata["model"] == MODEL
    results_file = str(metadata["output"]["responsesFile"])
    reply = server.call("GET", f"/download/v1beta/{results_file}:download?alt=media")
    results = [json.loads(line) for line in reply.body.splitlines()]
    assert [result["key"] for result in results] == ["request_0", "request_1", "request_2"]
    check_vectors(results, 128)
    return results_file


def check_inline_job(batches: Batches, name: str) -> list[dict[str, Any]]:
    """Return the results of the job."""
    operation = batches.finished(name)
    assert operation["metadata"]["displayName"] == "Inlined embeddings batch"
    results = operation["metadata"]["output"]["inlinedResponses"]["inlinedResponses"]
    assert operation["response"]["inlinedResponses"]["inlinedResponses"] == results
    check_vectors(results, 384)
    return list(results)


def check_vectors(results: list[dict[str, Any]], dimensions: int) -> None:
    """The two about a cat are nearer to each other than to the one about shares."""
    vectors = [result["response"]["embedding"]["values"] for result in results]
    assert [len(vector) for vector in vectors] == [dimensions] * 3
    assert all(math.hypot(*vector) == pytest.approx(1, abs=1e-6) for vector in vectors)
    cat, kitten, shares = vectors
    near, far = (sum(map(float.__mul__, cat, other)) for other in (kitten, shares))
    assert near > 0.5 > far


def test_python_makes_both_batches_of_embeddings(
    python_jobs: list[str], batches: Batches, server: Server
) -> None:
    file_job, inline_job = python_jobs
    check_file_job(batches, server, file_job)
    check_inline_job(batches, inline_job)


def test_javascript_makes_both_batches_of_embeddings(
    javascript_jobs: list[str], batches: Batches, server: Server
) -> None:
    file_job, inline_job = javascript_jobs
    check_file_job(batches, server, file_job)
    check_inline_job(batches, inline_job)


def test_python_downloads_the_results_of_a_file(
    python: Examples, python_jobs: list[str], batches: Batches, server: Server
) -> None:
    results_file = check_file_job(batches, server, python_jobs[0])
    finished = python.run("results", fill_in={"YOUR_BATCH_JOB_NAME": python_jobs[0]})
    head, content = finished.stdout.split("Downloading result file content...\n")
    assert head == f"Results are in file: {results_file}\n"
    check_vectors([json.loads(line) for line in content.splitlines() if line], 128)


def test_python_prints_inline_results_from_the_field_that_the_comment_names(
    python: Examples, python_jobs: list[str], batches: Batches
) -> None:
    results = check_inline_job(batches, python_jobs[1])
    as_printed = python.run("results", fill_in={"YOUR_BATCH_JOB_NAME": python_jobs[1]})
    assert as_printed.stdout == "No results found (neither file nor inline).\n"
    finished = python.run(
        "results",
        fill_in={
            "YOUR_BATCH_JOB_NAME": python_jobs[1],
            "batch_job.dest.inlined_responses": "batch_job.dest.inlined_embed_content_responses",
        },
    )
    assert finished.stdout.count("Response ") == 3
    first = results[0]["response"]["embedding"]["values"][0]
    assert str(first) in finished.stdout


def test_javascript_prints_inline_results(
    javascript: Examples, javascript_jobs: list[str], batches: Batches
) -> None:
    results = check_inline_job(batches, javascript_jobs[1])
    finished = javascript.run(
        JAVASCRIPT_CLIENT, "results", fill_in={"YOUR_BATCH_JOB_NAME": javascript_jobs[1]}
    )
    printed = finished.stdout.split("Embedding results found inline:\n")[1]
    assert printed.count("Response ") == 3
    assert f"{results[2]['response']['embedding']['values'][0]}" in printed
