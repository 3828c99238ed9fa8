from support.figures import figure
from toplu.metrics.exposition import expose
from toplu.metrics.measured import RECENT, SUCCEEDED, expect, note_call, note_tokens
from toplu.metrics.recent import Recently


def test_tokens_are_counted_by_model_and_by_project() -> None:
    note_tokens("a-model", "a-project", prompt=10, cached=4, output=3)
    note_tokens("a-model", "another", prompt=1, cached=0, output=0)
    text = expose("api", [])
    counted = {
        kind: figure(text, "toplu_tokens_total", model="a-model", kind=kind)
        for kind in ("prompt", "cached", "output")
    }
    assert counted == {"prompt": 11, "cached": 4, "output": 3}
    assert figure(text, "toplu_project_tokens_total", project="a-project") == 13


def test_tokens_and_calls_are_known_of_late_as_well() -> None:
    note_tokens("a-new-model", "a-project", prompt=10, cached=4, output=3)
    note_call("a-new-model", SUCCEEDED, seconds=0.5, first_chunk=None)
    assert RECENT["a-new-model"].read() == Recently(10, 4, 0.5)


def test_counters_of_a_model_that_did_nothing_stand_at_0() -> None:
    expect("an-idle-model")
    text = expose("api", []).decode()
    for name in ("toplu_engine_restarts_total", "toplu_requests_total", "toplu_tokens_total"):
        assert any(
            line.startswith(name) and 'model="an-idle-model"' in line and line.endswith(" 0.0")
            for line in text.splitlines()
        )
