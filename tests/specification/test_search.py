"""The specification's Google Search example, in both languages, over documents of our own."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from support.server import TOPLU, Server, clean_environment
from support.specification.batches import Batches
from support.specification.examples import Examples, given, texts_of
from support.tools.pages_under_test import PAGES, write_pages
from support.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.model

QUESTION = "Who won the euro 2025?"
PYTHON = """
from google import genai
client = genai.Client()
job = client.batches.create(model="gemini-2.5-flash", src=inlined_requests)
print(job.name)"""
JAVASCRIPT = """
const job = await ai.batches.create({model: 'gemini-2.5-flash', src: inlineRequestsList});
console.log(job.name);"""
CLIENT = """
import {GoogleGenAI} from '@google/genai';
const ai = new GoogleGenAI({apiKey: process.env.GEMINI_API_KEY});
let inlineRequestsList;"""


def toplu_search(server: Server, *words: str) -> str:
    """Run `toplu search` on the data folder of the server that runs."""
    finished = subprocess.run(
        [str(TOPLU), "search", *words, "--data-dir", str(server.data_dir)],
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


@pytest.fixture(scope="module")
def indexed(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Documents that the server of all examples finds, added while it runs."""
    folder = tmp_path_factory.mktemp("documents") / "pages"
    write_pages(folder)
    url = ["--url", "https://site.example"]
    assert toplu_search(server, "add", str(folder), *url) == f"pages: {len(PAGES)} documents\n"
    assert "pages" in toplu_search(server, "list")
    return folder


def check(operation: dict[str, Any]) -> None:
    """Check that the second of two answers is grounded, and only that."""
    first, second = operation["response"]["inlinedResponses"]["inlinedResponses"]
    _, text = texts_of([first, second])
    assert "groundingMetadata" not in first["response"]["candidates"][0]
    marks = second["response"]["candidates"][0]["groundingMetadata"]
    assert marks["webSearchQueries"] == [QUESTION]
    assert QUESTION in marks["searchEntryPoint"]["renderedContent"]
    assert marks["groundingChunks"][0]["web"] == {
        "uri": "https://site.example/euro-2025.html",
        "title": PAGES["euro-2025.html"][0],
        "domain": "site.example",
    }
    for support in marks.get("groundingSupports", []):
        segment = support["segment"]
        place = slice(segment["startIndex"], segment["endIndex"])
        assert text.encode()[place].decode() == segment["text"]
    usage = second["response"]["usageMetadata"]
    assert usage["toolUsePromptTokenCount"] > 0
    assert usage["totalTokenCount"] == (
        usage["promptTokenCount"] + usage["toolUsePromptTokenCount"] + usage["candidatesTokenCount"]
    )
    # A small model says it in its own words; these it can only have from the page.
    assert any(word in text for word in ("England", "Spain", "Basel", "penalties")), text


@pytest.mark.usefixtures("indexed")
def test_the_answer_to_a_python_request_is_grounded(python: Examples, batches: Batches) -> None:
    name = python.run("search", given(PYTHON)).find(r"^(batches/[a-z0-9]+)\n$")
    check(batches.finished(name))


@pytest.mark.usefixtures("indexed")
def test_the_answer_to_a_javascript_request_is_grounded(
    javascript: Examples, batches: Batches
) -> None:
    finished = javascript.run(given(CLIENT), "search", given(JAVASCRIPT))
    check(batches.finished(finished.find(r"^(batches/[a-z0-9]+)\n$")))


def test_what_is_removed_is_not_found(server: Server, indexed: Path) -> None:
    toplu_search(server, "remove", indexed.name)
    body = {"contents": [{"parts": [{"text": QUESTION}]}], "tools": [{"googleSearch": {}}]}
    reply = server.call("POST", "/v1beta/models/gemini-2.5-flash:generateContent", body)
    assert reply.status == 400
    assert "toplu search add PATH" in reply.json()["error"]["message"]
    toplu_search(server, "add", str(indexed))
    assert (
        server.call("POST", "/v1beta/models/gemini-2.5-flash:generateContent", body).status == 200
    )
