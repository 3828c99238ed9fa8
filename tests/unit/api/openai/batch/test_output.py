"""Each line of the client's is written once, however many of its texts have a result."""

import itertools
import json
from datetime import UTC, datetime

import pytest

from toplu.api.openai.batch.details import BatchDetails
from toplu.api.openai.batch.input import InputTranslator
from toplu.api.openai.batch.output import OutputForm
from toplu.api.openai.endpoints import BY_URL
from toplu.batch.results.rendering import RenderedFile, RenderedLine
from toplu.job import InputForm, Job, JobId, JobState, Method, ProjectId, Wire
from toplu.settings.model import ModelSettings

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
URL = "/v1/embeddings"
MODEL = ModelSettings(name="embedder", engine="echo_embedder", dimensions=8)
DETAILS = BatchDetails(endpoint=URL, input_file_id="file-x", completion_window="24h")
VECTOR = {"embedding": {"values": [0.5]}, "usageMetadata": {"promptTokenCount": 2}}
ERROR = {"code": 8, "message": "too many"}


def a_job(state: JobState) -> Job:
    return Job(
        id=JobId("j"),
        project=ProjectId("p"),
        model="embedder",
        engine="embedder",
        method=Method.EMBED,
        wire=Wire.OPENAI,
        wire_details=DETAILS.encode(),
        display_name=None,
        input_form=InputForm.FILE,
        input_file="x",
        state=state,
        created=NOON,
        updated=NOON,
        expires=NOON,
    )


def core_lines(*texts: str) -> list[bytes]:
    """Return the core's lines for one line with these texts."""
    body = {"model": "embedder", "input": list(texts)}
    line = {"custom_id": "c", "method": "POST", "url": URL, "body": body}
    translator = InputTranslator(BY_URL[URL], DETAILS, lambda _: MODEL)
    return [each.line for each in translator.translate(1, json.dumps(line).encode())]


def result_of(line: bytes, outcome: str) -> bytes:
    asked = json.loads(line)
    given = {"response": VECTOR} if outcome == "vector" else {"error": ERROR}
    return json.dumps(
        {"line": 1, **given, "key": asked["key"], "metadata": asked["metadata"]}
    ).encode()


def written(form: OutputForm, lines: list[bytes], outcomes: tuple[str, ...]) -> list[RenderedLine]:
    found: list[RenderedLine] = []
    for line, outcome in zip(lines, outcomes, strict=True):
        if outcome == "unreached":
            found += form.write_unreached(line)
        elif outcome != "gap":
            found += form.write(result_of(line, outcome))
    return found


@pytest.mark.parametrize(
    "outcomes", list(itertools.product(["vector", "error", "unreached"], repeat=3))
)
def test_a_line_with_three_texts_is_written_once(outcomes: tuple[str, ...]) -> None:
    form = OutputForm(a_job(JobState.EXPIRED))
    (only,) = written(form, core_lines("a", "b", "c"), outcomes)
    line = json.loads(only.line)
    assert line["custom_id"] == "c"
    if "unreached" in outcomes:
        assert (only.file, line["error"]["code"]) == (RenderedFile.ERRORS, "batch_expired")
        assert line["response"] is None
    elif "error" in outcomes:
        assert (only.file, line["response"]["status_code"]) == (RenderedFile.ERRORS, 429)
    else:
        assert only.file is RenderedFile.OUTPUT
        assert [each["index"] for each in line["response"]["body"]["data"]] == [0, 1, 2]
        assert line["response"]["body"]["usage"]["total_tokens"] == 6


@pytest.mark.parametrize("outcomes", [("gap", "vector"), ("vector", "gap"), ("gap", "gap")])
def test_a_line_of_which_a_result_is_still_to_come_is_not_written(
    outcomes: tuple[str, ...],
) -> None:
    form = OutputForm(a_job(JobState.RUNNING))
    lines = core_lines("a", "b")
    assert written(form, lines, outcomes) == []
    assert len(written(form, lines, ("vector", "vector"))) == 1
