from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from support.figures import figure, samples
from toplu.metrics import readings
from toplu.metrics.exposition import expose, merge
from toplu.metrics.measured import COMMIT_SECONDS, HTTP_REQUESTS, REGISTRY


def test_every_sample_names_its_process() -> None:
    HTTP_REQUESTS.labels("GET /x", "200").inc()
    text = expose("api", [readings.LANES.of([(("m",), 4)]), readings.WORKERS.of([((), 2)])])
    families = list(text_string_to_metric_families(text.decode()))
    assert families
    assert {it.labels.get("process") for family in families for it in family.samples} == {"api"}
    assert figure(text, "toplu_lanes", process="api", model="m") == 4
    assert figure(text, "toplu_workers", process="api") == 2
    assert figure(text, "toplu_http_requests_total", route="GET /x", code="200") >= 1


def test_the_text_says_what_that_of_the_library_says() -> None:
    HTTP_REQUESTS.labels('"\\\n', "200").inc(12345678.25)
    COMMIT_SECONDS.observe(0.002)
    families = text_string_to_metric_families(expose("api", []).decode())
    said = {it.name: it for it in families if not it.name.startswith("process_")}
    for family in text_string_to_metric_families(generate_latest(REGISTRY).decode()):
        if not family.name.startswith("process_"):
            for sample in family.samples:
                sample.labels["process"] = "api"
            assert said.pop(family.name) == family
    assert not said


def test_texts_of_several_processes_become_one_in_which_each_figure_stands_once() -> None:
    one = expose("worker-1", [readings.LANES.of([(("m",), 4)])])
    two = expose("worker-2", [readings.LANES.of([(("m",), 3)]), readings.WORKERS.of([((), 2)])])
    text = merge([one, two])
    assert text.count(b"# HELP toplu_lanes ") == text.count(b"# TYPE toplu_lanes ") == 1
    assert text.count(b"# HELP toplu_commit_seconds ") == 1
    lanes = samples(text, "toplu_lanes", model="m")
    assert {it.labels["process"]: it.value for it in lanes} == {"worker-1": 4, "worker-2": 3}
    assert figure(text, "toplu_workers") == 2


def test_a_figure_without_a_sample_is_left_out() -> None:
    assert b"toplu_lanes" not in merge([expose("api", [readings.LANES.of([])])])
    assert merge([]) == merge([b""]) == b""


def test_whatever_a_label_holds_stays_in_it() -> None:
    hostile = '# HELP x{y="z"} \n# TYPE\\'
    text = merge([expose("api", [readings.QUEUE_TOKENS.of([((hostile,), 7)])])])
    (sample,) = samples(text, "toplu_queue_tokens")
    assert (sample.labels, sample.value) == ({"process": "api", "project": hostile}, 7)
