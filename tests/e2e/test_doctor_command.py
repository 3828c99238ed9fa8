"""`toplu doctor` finds what is in the way, and `toplu init` writes settings that serve."""

import json
import os
import socket
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

import pytest

from support.jobs import create_job, question, results_of
from support.model_tables import echo_model, model_table
from support.server import TOPLU, clean_environment, started_server
from support.waiting import PATIENCE_SECONDS
from toplu.settings.model import DEFAULT_MODEL, ModelSettings

pytestmark = pytest.mark.system


def toplu(*words: Any, code: int = 0, folder: Path | None = None) -> str:
    ended = subprocess.run(
        [str(TOPLU), *map(str, words)],
        capture_output=True,
        check=False,
        cwd=folder,
        text=True,
        env=clean_environment(),
        timeout=PATIENCE_SECONDS,
    )
    assert ended.returncode == code, (ended.stdout, ended.stderr)
    return ended.stdout + ended.stderr


def checked(folder: Path, table: str, data: Path, *, port: int = 0, code: int = 0) -> Any:
    """Return what the doctor finds, by what it looked at."""
    config = folder / "models.toml"
    config.write_text(f"port = {port}\n{table}")
    words = ("--config", config, "--data-dir", data)
    document = json.loads(toplu("doctor", *words, "--json", code=code))
    return {check["what"]: check for check in document["checks"]}


def used_data(folder: Path) -> Path:
    """Return the folder of a server that has ended."""
    with started_server(folder, config=echo_model()) as server:
        results_of(server, create_job(server, [question(index) for index in range(50)]))
        return server.data_dir


def test_a_server_that_is_well_has_nothing_to_mend(tmp_path: Path) -> None:
    with started_server(tmp_path, config=echo_model()) as server:
        results_of(server, create_job(server, [question(0)]))
        checks = checked(tmp_path, echo_model(), server.data_dir, port=server.port)
    assert "fault" not in {it["verdict"] for it in checks.values()}
    assert "has a toplu server" in checks["port"]["found"]
    assert "is whole" in checks["database"]["found"]
    assert checks["clock"]["verdict"] == "ok"


def test_each_thing_that_is_wrong_has_its_mend(tmp_path: Path) -> None:
    model = ModelSettings(name="away", engine="llama_cpp", source=f"path:{tmp_path / 'no.gguf'}")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        checks = checked(tmp_path, model_table(model), tmp_path / "data", port=port, code=1)
    assert checks["port"]["verdict"] == "fault"
    assert "--port" in checks["port"]["mend"]
    assert checks["model away"]["verdict"] == "fault"
    assert "no.gguf" in checks["model away"]["found"]


def test_a_server_of_others_that_is_away_is_a_fault(tmp_path: Path) -> None:
    table = (
        '[[models]]\nname = "gone"\nengine = "openai_server"\n'
        'servers = [{ url = "http://127.0.0.1:9/v1" }]\n'
    )
    checks = checked(tmp_path, table, tmp_path / "data", code=1)
    assert checks["model gone"]["verdict"] == "fault"
    assert "http://127.0.0.1:9/v1" in checks["model gone"]["found"]


def test_settings_that_are_none_are_the_one_fault(tmp_path: Path) -> None:
    checks = checked(tmp_path, "prot = 1\n", tmp_path / "data", code=1)
    assert set(checks) == {"settings"}
    assert "did you mean `port`" in checks["settings"]["found"]


def test_a_damaged_database_is_found(tmp_path: Path) -> None:
    data = used_data(tmp_path)
    with (data / "toplu.db").open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(4096 * 8))
    checks = checked(tmp_path, echo_model(), data, code=1)
    assert checks["database"]["verdict"] == "fault"


def test_a_clock_that_was_put_back_is_found(tmp_path: Path) -> None:
    data = used_data(tmp_path)
    rows = sqlite3.connect(data / "toplu.db")
    rows.execute("UPDATE jobs SET updated = updated + 3600000000")
    rows.commit()
    rows.close()
    assert checked(tmp_path, echo_model(), data)["clock"]["verdict"] == "warning"


def test_a_table_for_people_says_the_same(tmp_path: Path) -> None:
    config = tmp_path / "models.toml"
    config.write_text(f"port = 0\n{echo_model()}")
    told = toplu("doctor", "--config", config, "--data-dir", tmp_path / "data")
    assert "durable writes" in told
    assert "mend" in told


@pytest.mark.model
@pytest.mark.slow
def test_settings_that_init_writes_for_a_file_serve_it(tmp_path: Path) -> None:
    pulled = toplu("models", "pull", DEFAULT_MODEL.name).replace("\n", "").partition(": ")[2]
    assert "toplu serve --config toplu.toml" in toplu("init", pulled, folder=tmp_path)
    assert "is there already" in toplu("init", folder=tmp_path, code=2)
    toplu("init", pulled, "--force", folder=tmp_path)
    table = (tmp_path / "toplu.toml").read_text(encoding="utf-8")
    quick = table.replace("lanes = 4", "lanes = 1\nthreads = 1")
    with started_server(tmp_path, config=quick) as server:
        body = {
            "contents": [{"parts": [{"text": "Say hello."}]}],
            "generationConfig": {"maxOutputTokens": 4},
        }
        reply = server.call("POST", "/v1beta/models/gemini-2.5-flash:generateContent", body)
        assert reply.status == 200, reply.body
        assert reply.json()["modelVersion"] == Path(pulled).stem.lower()
