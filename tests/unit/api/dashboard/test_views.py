"""Results and batches as templates show them: a bounded part of whatever was answered."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from toplu.api.dashboard.views import SHOWN_LINE_MAX, BatchView, result_view
from toplu.batch.results.browsing import Result
from toplu.job import InputForm, Job, JobId, JobState, ProjectId, RequestCounts
from toplu.money import Prices, Usage

NOW = datetime(2026, 11, 28, tzinfo=UTC)
JOB = Job(
    id=JobId("one"),
    project=ProjectId("team-a"),
    model="m",
    engine="m",
    display_name=None,
    input_form=InputForm.FILE,
    input_file="f",
    state=JobState.SUCCEEDED,
    created=NOW,
    updated=NOW,
    expires=NOW,
)


def shown(line: Any) -> Any:
    text = line if isinstance(line, bytes) else json.dumps(line).encode()
    return result_view(Result(3, text))


def answer(text: str, **more: Any) -> dict[str, Any]:
    return {"response": {"candidates": [{"content": {"parts": [{"text": text}]}, **more}]}}


def test_an_answer_an_error_and_a_vector_have_their_words() -> None:
    found = shown(answer("hello") | {"key": "k"})
    assert (found.number, found.key, found.code, found.text) == (3, "k", "", "hello")
    failed = shown({"error": {"code": 3, "message": "wrong"}, "key": 7})
    assert (failed.key, failed.code, failed.text) == ("7", "INVALID_ARGUMENT", "wrong")
    assert shown({"error": {"code": 99, "message": "odd"}}).code == "99"
    assert shown({"response": {"embedding": {"values": [0.1] * 5}}}).text == "a vector of 5 numbers"
    cut = {"response": {"candidates": [{"finishReason": "MAX_TOKENS"}]}}
    assert shown(cut).text == "MAX_TOKENS"


@pytest.mark.parametrize("size", [10_000, 10_000_000])
def test_a_row_is_as_long_whatever_was_answered(size: int) -> None:
    found = shown(answer("x" * size) | {"key": "k"})
    assert found.key == "k"
    assert len(found.text) <= 300
    assert len(found.line) == SHOWN_LINE_MAX


@pytest.mark.parametrize(
    "line", [b"no JSON", b"[]", b'{"response": 5}', b'{"response": {"candidates": 5}}']
)
def test_what_cannot_be_read_is_shown_as_it_is(line: bytes) -> None:
    assert shown(line).line == line.decode()


def test_what_was_saved_is_what_it_would_have_cost_more() -> None:
    prices = Prices(input_units=20, cached_units=2, output_units=40)
    usage = Usage(prompt_tokens=100, cached_tokens=60, output_tokens=10)
    view = BatchView.of([replace(JOB, prices=prices, usage=usage)], None)
    assert view.cost == (40 * 20 + 10 * 40) // 2 + 60 * 2
    assert view.saved_by_prefix == 60 * 10 - 60 * 2
    assert view.saved_by_price == (40 * 20 + 10 * 40) // 2
    assert view.cached_share == 0.6


def test_what_was_not_answered_may_run_again() -> None:
    counts = RequestCounts(total=3, succeeded=3)
    assert not BatchView.of([replace(JOB, counts=counts)], None).may_retry
    failed = replace(JOB, counts=RequestCounts(total=3, succeeded=2, failed=1))
    assert BatchView.of([failed], None).may_retry
    stopped = replace(JOB, state=JobState.CANCELLED, counts=RequestCounts(total=3, succeeded=1))
    assert BatchView.of([stopped], None).may_retry
    running = replace(JOB, state=JobState.RUNNING, counts=RequestCounts(total=3, failed=1))
    assert not BatchView.of([running], None).may_retry
