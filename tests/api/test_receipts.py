"""`batches/…:receipt`: what a batch that has ended was, in numbers that balance."""

import hashlib
import json

import httpx2 as httpx

from support.api.batch_calls import asking, create_from_file, create_inline, finish, upload_lines
from support.api.local_server import LocalServer, http_of
from toplu.job import ProjectId


def test_a_receipt_names_what_went_in_what_came_out_and_how_it_went(http: httpx.Client) -> None:
    lines = [json.dumps(asking(text)).encode() for text in ("one", "please fail", "two words")]
    lines.append(b'{"not": "a request"}')
    done = finish(http, create_from_file(http, upload_lines(http, lines)).json()["name"])
    receipt = http.get(f"/v1beta/{done['name']}:receipt").json()
    file_name = done["response"]["responsesFile"]
    output = http.get(f"/download/v1beta/{file_name}:download?alt=media").content
    assert receipt["state"] == "JOB_STATE_SUCCEEDED"
    assert (receipt["model"], receipt["answeredBy"]) == ("models/gemini-2.5-flash", "echo")
    content = b"".join(line + b"\n" for line in lines)
    assert receipt["inputSha256"] == hashlib.sha256(content).hexdigest()
    assert receipt["outputSha256"] == hashlib.sha256(output).hexdigest()
    assert receipt["requestCount"] == "4"
    assert receipt["outcomes"] == {
        "succeeded": "2",
        "failed": {"INTERNAL": "1", "INVALID_ARGUMENT": "1"},
        "notReached": "0",
    }
    assert receipt["usage"] == done["metadata"]["toplu"]["usage"]
    assert int(receipt["attempts"]["leaseCount"]) >= 1
    assert receipt["balances"] is True
    made = http.post(f"/v1beta/{done['name']}:retry").json()["name"]
    assert http.get(f"/v1beta/{done['name']}:receipt").json()["retriedBy"] == made


def test_the_receipt_of_another_project_looks_missing(server: LocalServer) -> None:
    keys = [
        server.call(server.server.keys.create(ProjectId(project), "")) for project in ("one", "two")
    ]
    with http_of(server, keys[0]) as owner, http_of(server, keys[1]) as other:
        name = create_inline(owner, [{"request": asking("x")}])["name"]
        finish(owner, name)
        foreign = other.get(f"/v1beta/{name}:receipt")
        missing = other.get("/v1beta/batches/never-was:receipt")
        assert (foreign.status_code, foreign.json()) == (missing.status_code, missing.json())
        assert foreign.status_code == 404
        assert owner.get(f"/v1beta/{name}:receipt").json()["balances"] is True
