"""All that can be wrong with a run is said before anything runs."""

import io
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from support.model_tables import echo_model
from toplu.errors import ConfigurationError, RequestError
from toplu.oneshot.options import RunOptions
from toplu.oneshot.plan import RunPlan, plan_of
from toplu.oneshot.rows.outputs import LineOutput, RowOutput


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "echo.toml"
    path.write_text(echo_model())
    return path


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "in.csv"
    path.write_text("prompt,n\nWhy?,1\n")
    return path


def planned(source: Path, name: str = "out.csv", **options: Any) -> RunPlan:
    return plan_of(RunOptions(source=source, output=source.parent / name, **options))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"name": "out.xlsx"}, "the end of the name says what to write"),
        ({"name": "in.csv"}, "is the input"),
        ({"name": "none/out.csv"}, "there is no such folder"),
        ({"prompt": "{m}"}, "`{m}`, which is no column"),
        ({"schema": Path("none.json")}, "none.json: cannot be read"),
        ({"embed": "prompt", "system": "x"}, "--embed and --system do not go together"),
        ({"model": "ecko"}, "there is no model `ecko`; did you mean `echo`?"),
        ({"model": "none.gguf"}, "model none.gguf: there is no such file"),
        ({"model": "http://user:secret@host/v1"}, "has credentials in it"),
        ({"embed": "prompt"}, "no model is of the kind embedding"),
        ({"embed": "prompt", "model": "echo"}, "is of the kind generation"),
        ({"image": "prompt"}, "sees no images"),
    ],
)
def test_what_does_not_fit_is_refused(
    table: Path, config: Path, options: dict[str, Any], told: str
) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(told)) as refused:
        planned(table, **{"config": config} | options)
    assert "secret" not in str(refused.value)


def test_a_running_server_needs_the_name_of_a_model(table: Path, config: Path) -> None:
    plan = planned(table, server="http://host:1", model="models/some", key="k")
    assert (plan.settings, plan.model) == (None, "some")
    with pytest.raises(ConfigurationError, match="name a model of http://host:1"):
        planned(table, server="http://host:1", key="k")
    with pytest.raises(ConfigurationError, match="--config is for a private server"):
        planned(table, server="http://host:1", key="k", model="m", config=config)


def test_the_same_command_names_the_same_run_and_another_one_another(
    table: Path, config: Path
) -> None:
    first = planned(table, config=config)
    assert planned(table, config=config, max_cost=None, seconds_max=60.0).name == first.name
    others = [
        planned(table, config=config, **options).name
        for options in ({"limit": 1}, {"prompt": "{n}"}, {"system": "x"}, {"temperature": 0.0})
    ]
    table.write_text("prompt,n\nWhy not?,1\n")
    others.append(planned(table, config=config).name)
    assert len({first.name, *others}) == 6


def test_an_input_that_changes_is_noticed(table: Path, config: Path) -> None:
    plan = planned(table, config=config)
    plan.mark.check()
    shutil.copy(table, table.with_name("copy.csv"))
    table.with_name("copy.csv").replace(table)
    with pytest.raises(ConfigurationError, match="has changed since the run began"):
        plan.mark.check()


def test_a_model_may_be_a_server_or_a_file(table: Path, tmp_path: Path) -> None:
    remote = planned(table, model="http://host:8000/v1#qwen").settings
    assert remote is not None
    (model,) = remote.models
    assert (model.engine, model.servers[0].url, model.servers[0].model) == (
        "openai_server",
        "http://host:8000/v1",
        "qwen",
    )
    (tmp_path / "My Model_Q4.GGUF").write_bytes(b"GGUF")
    local = planned(table, model=str(tmp_path / "My Model_Q4.GGUF")).settings
    assert local is not None
    assert (local.models[0].name, local.models[0].engine) == ("my-model_q4", "llama_cpp")
    assert local.models[0].source == f"path:{tmp_path / 'My Model_Q4.GGUF'}"


def test_lines_of_the_api_take_no_prompt_and_may_end_as_such(tmp_path: Path, config: Path) -> None:
    lines = tmp_path / "lines.jsonl"
    lines.write_text('{"request": {"contents": [{"parts": [{"text": "x"}]}]}}\n')
    for name, kind in (("out.jsonl", LineOutput), ("out.csv", RowOutput)):
        plan = planned(lines, name, config=config)
        assert isinstance(plan.output(io.BytesIO(), RequestError(1, "")), kind)
    with pytest.raises(ConfigurationError, match="leave --system out"):
        planned(lines, "out.jsonl", config=config, system="x")
