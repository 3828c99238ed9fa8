"""From a caller's trace to the lane and engine that a call ran on, and the steps of a job."""

import json
from pathlib import Path

import pytest

from support.collector import Collector, Seen, collector
from support.jobs import create_job, finished_job, question
from support.model_tables import echo_model
from support.server import started_server
from support.waiting import PATIENCE_SECONDS, eventually

pytestmark = pytest.mark.system

TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLER = "b7ad6b7169203331"
HEADERS = {"traceparent": f"00-{TRACE}-{CALLER}-01"}
SECRET = "one two three"
ASKED = {"contents": [{"parts": [{"text": SECRET}]}]}
FLASH = "/v1beta/models/gemini-2.5-flash"


def spans_of(found: Collector, count: int, trace: str = TRACE) -> dict[str, Seen]:
    """Return the spans of a trace by their names, once there are so many."""

    def look() -> list[Seen] | None:
        spans = found.spans(trace=trace)
        return spans if len(spans) >= count else None

    return {span.name: span for span in eventually(look)}


@pytest.mark.parametrize("method", ["generateContent", "streamGenerateContent"])
def test_a_call_is_followed_from_its_caller_to_its_lane(tmp_path: Path, method: str) -> None:
    with (
        collector() as found,
        started_server(
            tmp_path, config=echo_model(), traces_url=found.url, log_level="debug"
        ) as server,
    ):
        reply = server.call("POST", f"{FLASH}:{method}", ASKED, headers=HEADERS)
        assert reply.status == 200, reply.body
        spans = spans_of(found, 3)
        front = spans[f"POST /{{version}}/models/{{model}}:{method}"]
        worker, engine = spans["chat echo"], spans["ask engine"]
        assert (front.process, worker.process, engine.process) == ("api", "worker-1", "worker-1")
        assert (front.parent, worker.parent, engine.parent) == (CALLER, front.id, worker.id)
        assert front.values["http.response.status_code"] == 200
        assert engine.values["toplu.engine"] == "echo"
        assert engine.values["toplu.lane"] in range(4)
        assert worker.values == {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "toplu",
            "gen_ai.request.model": "gemini-2.5-flash",
            "gen_ai.response.model": "echo",
            "gen_ai.response.finish_reasons": ["STOP"],
            "gen_ai.usage.input_tokens": 3,
            "gen_ai.usage.cache_read.input_tokens": 0,
            "gen_ai.usage.output_tokens": 3,
            "toplu.project": "default",
        }
        # Nobody asked for what is said.
        assert SECRET not in json.dumps([span.values for span in found.spans()])
        assert server.call("GET", "/v1beta/models").status == 200
        assert not [span for span in found.spans() if span.name.startswith("GET")]


def test_a_job_has_a_trace_of_its_steps_linked_with_the_call_that_made_it(tmp_path: Path) -> None:
    lines = [question(number) for number in range(40)]
    with (
        collector() as found,
        started_server(
            tmp_path,
            config=echo_model(),
            traces_url=found.url,
            shard_requests_max=16,
            log_level="debug",
        ) as server,
    ):
        name = create_job(server, lines)
        job = name.removeprefix("batches/")
        finished_job(server, name)
        (root,) = eventually(lambda: found.spans(name="job") or None)

        def all_steps() -> list[Seen] | None:
            spans = [span for span in found.spans(trace=root.trace) if span.parent == root.id]
            run = [span.values["toplu.requests"] for span in spans if span.name == "run shard"]
            is_whole = sum(run) == len(lines) and "assemble" in {span.name for span in spans}
            return spans if is_whole else None

        steps = eventually(all_steps)
        assert {span.values["toplu.job"] for span in steps} == {job}
        shards = [span.values["toplu.shard"] for span in steps if span.name == "run shard"]
        assert sorted(shards) == list(range(len(shards)))
        assert len(shards) > 1

        def makers() -> list[Seen] | None:
            return [span for span in found.spans() if root.trace in span.links] or None

        (call,) = eventually(makers)
        assert call.name == "POST /{version}/models/{model}:batchGenerateContent"
        assert root.links == {call.trace}
        assert call.values["toplu.job"] == job
        started = server.events("request_started", job=job)
        assert {event["project"] for event in started} == {"default"}
        assert sorted(event["index"] for event in started) == list(range(40))


def test_the_log_names_the_trace_of_a_call_and_contents_are_shown_when_asked_for(
    tmp_path: Path,
) -> None:
    with (
        collector() as found,
        started_server(
            tmp_path,
            config=echo_model(crash_pattern="please crash"),
            traces_url=found.url,
            traces_contents=True,
        ) as server,
    ):
        assert server.call("POST", f"{FLASH}:generateContent", ASKED, headers=HEADERS).status == 200
        worker = spans_of(found, 3)["chat echo"]
        assert SECRET in str(worker.values["gen_ai.input.messages"])
        assert SECRET in str(worker.values["gen_ai.output.messages"])
        crash = {"contents": [{"parts": [{"text": "please crash"}]}]}
        other = TRACE[::-1]
        headers = {"traceparent": f"00-{other}-{CALLER}-01"}
        assert server.call("POST", f"{FLASH}:generateContent", crash, headers=headers).status >= 500
        event = server.wait_for_event("request_runs_alone", PATIENCE_SECONDS)
        assert (event["trace_id"], event["project"], event["process"]) == (
            *(other, "default"),
            "worker-1",
        )


def test_without_a_collector_the_log_has_the_callers_trace(
    tmp_path: Path,
) -> None:
    config = echo_model(crash_pattern="please crash")
    with started_server(tmp_path, config=config) as server:
        crash = {"contents": [{"parts": [{"text": "please crash"}]}]}
        assert server.call("POST", f"{FLASH}:generateContent", crash, headers=HEADERS).status >= 500
        event = server.wait_for_event("request_runs_alone", PATIENCE_SECONDS)
        assert event["trace_id"] == TRACE
