"""The four ways in which a request may come, and what it is answered with on each.

called      models:generateContent
streamed    models:streamGenerateContent, the chunks put together
inlined     an entry of a batch's create call
filed       a line of a batch's input file
"""

import json
from functools import reduce
from typing import Any

import httpx2 as httpx

from support.api.batch_calls import (
    create_from_file,
    create_inline,
    finish,
    result_lines,
    upload_lines,
)
from support.api.stream_calls import events_of
from toplu.errors import Code

Answer = dict[str, Any]
MODEL = "/v1beta/models/gemini-2.5-flash"
# What the engine had kept of the prompt differs from call to call, and is told truly.
PASSING = ("cachedContentTokenCount", "cacheTokensDetails")


def called(http: httpx.Client, requests: list[Any]) -> list[Answer]:
    """Return the answers to calls that are made one after another."""
    replies = [http.post(f"{MODEL}:generateContent", json=request) for request in requests]
    return [_lasting(_outcome(reply.json())) for reply in replies]


def streamed(http: httpx.Client, requests: list[Any]) -> list[Answer]:
    """Return the answers to calls that are made one after another, joined from their chunks."""
    answers = []
    for request in requests:
        reply = http.post(f"{MODEL}:streamGenerateContent?alt=sse", json=request)
        chunks = events_of(reply.text) if reply.status_code == 200 else [reply.json()]
        answers.append(_lasting(_outcome(_joined(chunks))))
    return answers


def inlined(http: httpx.Client, requests: list[Any]) -> list[Answer]:
    """Return the answers to the entries of one batch."""
    entries = [{"request": request} for request in requests]
    done = finish(http, create_inline(http, entries)["name"])
    return _results(done["response"]["inlinedResponses"]["inlinedResponses"])


def filed(http: httpx.Client, requests: list[Any]) -> list[Answer]:
    """Return the answers to the lines of one batch."""
    lines = [json.dumps({"key": "k", "request": request}).encode() for request in requests]
    created = create_from_file(http, upload_lines(http, lines))
    assert created.status_code == 200, created.text
    return _results(result_lines(http, finish(http, created.json()["name"])))


WAYS = (called, streamed, inlined, filed)


def _results(results: list[Answer]) -> list[Answer]:
    return [_lasting(each.get("response", {"error": each.get("error")})) for each in results]


def _outcome(body: Answer) -> Answer:
    """Return the response, or the error as a batch has it: with the code of google.rpc."""
    if "error" not in body:
        return body
    error = body["error"]
    return {"error": {"code": Code[error["status"]].value, "message": error["message"]}}


def _joined(chunks: list[Answer]) -> Answer:
    """Return the chunks as one response; the last of them has what does not come in pieces."""
    if "error" in chunks[-1]:
        return chunks[-1]
    candidates: dict[int, Answer] = {}
    for chunk in chunks:
        for told in chunk["candidates"]:
            candidate = candidates.setdefault(told["index"], {"content": {"parts": []}})
            parts = candidate["content"]["parts"] + told["content"].get("parts", [])
            content = told["content"] | {"parts": parts}
            chances = [
                each["logprobsResult"] for each in (candidate, told) if "logprobsResult" in each
            ]
            candidate |= told | {"content": content}
            if chances:
                candidate["logprobsResult"] = reduce(_added, chances)
    return chunks[-1] | {"candidates": [candidates[index] for index in sorted(candidates)]}


def _added(left: Answer, right: Answer) -> Answer:
    """Return the log-probabilities of both: lists go on, and sums add up."""
    return {name: value + right[name] for name, value in left.items()}


def _lasting(answer: Answer) -> Answer:
    """Return the answer without what is of one call alone, and with its text in one part."""
    if "error" in answer:
        return answer
    usage = {name: value for name, value in answer["usageMetadata"].items() if name not in PASSING}
    candidates = [each | {"content": _whole(each["content"])} for each in answer["candidates"]]
    lasting = answer | {"usageMetadata": usage, "candidates": candidates}
    del lasting["responseId"]
    return lasting


def _whole(content: Answer) -> Answer:
    """Return the content with parts of text that follow each other made one."""
    parts: list[Answer] = []
    for part in map(_without_id, content.get("parts", [])):
        alike = parts and "text" in part and "text" in parts[-1]
        if alike and part.get("thought") == parts[-1].get("thought"):
            parts[-1] = parts[-1] | {"text": parts[-1]["text"] + part["text"]}
        elif part.get("text") != "" or not parts:
            parts.append(part)
    # An answer may end with a chunk that has nothing more to say.
    said = [part for part in parts if part.get("text") != ""]
    return content | {"parts": said or parts}


def _without_id(part: Answer) -> Answer:
    """Return the part; a function call without its id, which is new each time."""
    if "functionCall" not in part:
        return part
    call = {name: value for name, value in part["functionCall"].items() if name != "id"}
    return part | {"functionCall": call}
