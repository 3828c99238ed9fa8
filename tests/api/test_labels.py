"""Labels of requests, as today's SDKs send them: accepted, and the use under each is counted."""

import json
import subprocess
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from google import genai
from google.genai import types

from support.api.batch_calls import (
    asking,
    create_from_file,
    create_inline,
    finish,
    result_lines,
    upload_lines,
    wait_until_final,
)
from support.api.local_server import LocalServer
from support.server import TOPLU
from toplu.money import Kind, Usage

FLASH = "gemini-2.5-flash"
GENERATE = f"/v1beta/models/{FLASH}:generateContent"


def sums_of(server: LocalServer) -> dict[tuple[str, str, Kind], tuple[int, Usage]]:
    """Return requests and tokens by label and kind."""
    totals = server.call(server.server.ledger.label_totals())
    return {
        (each.key, each.value, each.total.kind): (each.total.requests, each.total.usage)
        for each in totals
    }


def labelled(text: str, **labels: str) -> types.InlinedRequest:
    # `store` and sampling fields that are deprecated come from present users as well.
    config = types.GenerateContentConfig(labels=labels, store=True, temperature=0, top_k=40)
    return types.InlinedRequest(contents=text, config=config)


def test_the_sdk_labels_inline_requests(client: genai.Client, server: LocalServer) -> None:
    requests = [labelled("one two", team="a", run="7"), labelled("x", team="a"), labelled("y")]
    job = wait_until_final(client, client.batches.create(model=FLASH, src=requests).name)
    assert [each.response.text for each in job.dest.inlined_responses] == ["one two", "x", "y"]
    both, one = Usage(prompt_tokens=3, output_tokens=3), Usage(prompt_tokens=2, output_tokens=2)
    assert sums_of(server) == {
        ("team", "a", Kind.BATCH): (2, both),
        ("run", "7", Kind.BATCH): (1, one),
    }


def test_the_sdk_labels_interactive_calls_and_streams(
    client: genai.Client, server: LocalServer
) -> None:
    config = types.GenerateContentConfig(labels={"team": "b"}, store=False)
    assert client.models.generate_content(model=FLASH, contents="x", config=config).text == "x"
    stream = client.models.generate_content_stream(model=FLASH, contents="y z", config=config)
    assert "".join(chunk.text for chunk in stream) == "y z"
    used = Usage(prompt_tokens=3, output_tokens=3)
    assert sums_of(server) == {("team", "b", Kind.INTERACTIVE): (2, used)}


def line(key: str, text: str, labels: Any) -> bytes:
    request = asking(text) | {"labels": labels, "generationConfig": {"temperature": 0}}
    return json.dumps({"key": key, "request": request}).encode()


def test_duplicates_count_under_their_own_labels(http: httpx.Client, server: LocalServer) -> None:
    lines = [line("a", "same", {"team": "a"}), line("b", "same", {"team": "b"})]
    done = finish(http, create_from_file(http, upload_lines(http, lines)).json()["name"])
    assert done["metadata"]["toplu"]["deduplicatedRequestCount"] == "1"
    assert all("response" in result for result in result_lines(http, done))
    sums = sums_of(server)
    assert {label: requests for label, (requests, _) in sums.items()} == {
        ("team", "a", Kind.BATCH): 1,
        ("team", "b", Kind.BATCH): 1,
    }
    # One of the two was computed.
    assert sum(usage.prompt_tokens for _, usage in sums.values()) == 1


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        ({"k" * 64: "v"}, "GenerateContentRequest.labels: a key has 1 to 63 characters"),
        ({f"k{n}": "v" for n in range(65)}, "at most 64 labels"),
        ({"k": 1}, "Invalid value at 'labels[0].value' (TYPE_STRING), 1"),
        ({"k": None}, "Invalid value at 'labels[0].value' (TYPE_STRING), null"),
        (["k"], "Proto field is not repeating, cannot start list."),
        ("k", "Invalid value at 'labels'"),
    ],
)
def test_labels_that_cannot_be_are_refused_by_name(
    http: httpx.Client, labels: Any, told: str
) -> None:
    reply = http.post(GENERATE, json=asking("x") | {"labels": labels})
    assert reply.status_code == 400
    assert told in reply.json()["error"]["message"]
    lines = [line("a", "same", {"k": "v"}), line("b", "same", labels)]
    done = finish(http, create_from_file(http, upload_lines(http, lines)).json()["name"])
    good, bad = result_lines(http, done)
    assert "response" in good
    assert bad["error"]["message"].startswith("Error on line 2: ")
    assert told.removeprefix("Invalid value at 'labels") in bad["error"]["message"]


def test_the_operator_reads_them(http: httpx.Client, tmp_path: Path) -> None:
    entry = {"request": asking("x") | {"labels": {"team": "[red]a"}}}
    finish(http, create_inline(http, [entry])["name"])
    # Where `open_test_server` has it.
    shown = subprocess.run(
        [TOPLU, "usage", "--data-dir", tmp_path / "data"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    (row,) = [line for line in shown.splitlines() if "team: [red]a" in line]
    cells = [cell.strip() for cell in row.strip("│").split("│")]
    assert cells[:3] == ["team: [red]a", "default", "echo"]
    assert cells[4:] == ["batch", "1", "1", "0", "1", "0 USD"]
