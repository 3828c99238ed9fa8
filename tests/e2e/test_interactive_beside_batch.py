"""Interactive calls while a batch keeps every lane busy: they do not wait for its answers."""

from pathlib import Path

import pytest

from support.clients import sdk_client
from support.jobs import (
    check_every_request_has_one_outcome,
    create_job,
    executions,
    finished_job,
    greedy_question,
    results_of,
    text_of,
)
from support.model_tables import quick_model
from support.server import Server, started_server
from support.waiting import PATIENCE_SECONDS

pytestmark = [pytest.mark.model, pytest.mark.system]

LANES = 2
REQUESTS = 8
CALLS = 4
LONG = "Count from one to one thousand."
BATCH_TOKENS = 160


def answers_of(server: Server, name: str) -> int:
    return len(server.events("request_finished", job=name.removeprefix("batches/")))


def test_calls_do_not_wait_for_the_answers_of_a_batch_and_cost_it_none(tmp_path: Path) -> None:
    config = quick_model(BATCH_TOKENS, lanes=LANES)
    with (
        started_server(tmp_path, config=config, log_level="debug") as server,
        sdk_client(server.url) as client,
    ):
        lines = [greedy_question(index, LONG) for index in range(REQUESTS)]
        name = create_job(server, lines)
        job = name.removeprefix("batches/")
        server.wait_until(
            lambda: len(executions(server, name)) >= 2 * LANES, PATIENCE_SECONDS, "full lanes"
        )
        # The batch has only begun: an answer of it takes a hundred steps of the engine and more,
        # which would all come before the first call if that waited for it. Later ones may see the
        # answer on the other lane end.
        waited = []
        for number in range(CALLS):
            before = answers_of(server, name)
            chunks = client.models.generate_content_stream(
                model="gemini-2.5-flash",
                contents=f"Say hello, {number}.",
                config={"max_output_tokens": 8},
            )
            assert next(chunks).candidates
            waited.append(answers_of(server, name) - before)
            assert all(chunk.candidates for chunk in chunks)
        assert waited[0] == 0, waited
        assert max(waited) <= 1, waited
        preempted = server.events("request_preempted")
        assert {event["label"].partition("#")[0] for event in preempted} == {job}
        operation = finished_job(server, name)
        results = results_of(server, name)
        check_every_request_has_one_outcome(results, REQUESTS)
        assert all(text_of(result).strip() for result in results)
        # Every request was begun once as the batch sees it, and is counted and charged once.
        assert sorted(executions(server, name)) == list(range(REQUESTS))
        told = [result["response"]["usageMetadata"] for result in results]
        usage = operation["metadata"]["toplu"]["usage"]
        assert usage["promptTokenCount"] == str(sum(each["promptTokenCount"] for each in told))
        written = sum(each["candidatesTokenCount"] for each in told)
        assert usage["outputTokenCount"] == str(written)
