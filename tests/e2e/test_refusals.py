"""A server that cannot start writes one line, and ends with a code that scripts see."""

import socket
import subprocess
from pathlib import Path

import pytest

from support.model_tables import echo_model
from support.server import TOPLU, clean_environment, started_server
from support.waiting import PATIENCE_SECONDS


def refusal(*arguments: str, **settings: str) -> str:
    """Return what `toplu serve` says when it does not start."""
    ended = subprocess.run(
        [str(TOPLU), "serve", *arguments],
        env=clean_environment(settings),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert ended.returncode == 2
    lines = ended.stderr.splitlines()
    assert len(lines) == 1, ended.stderr
    assert lines[0].startswith("toplu: ")
    return lines[0]


@pytest.fixture
def data_dir(tmp_path: Path) -> str:
    return str(tmp_path / "data")


def test_a_port_in_use(data_dir: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        said = refusal("--port", port, "--data-dir", data_dir)
    assert f"127.0.0.1:{port}" in said
    assert "in use" in said
    assert "--port" in said


def test_a_data_folder_of_a_running_server(tmp_path: Path) -> None:
    with started_server(tmp_path, config=echo_model()) as server:
        said = refusal("--port", "0", "--data-dir", str(server.data_dir))
        assert str(server.data_dir) in said
        assert server.call("GET", "/readyz").status == 200


def test_a_data_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert str(tmp_path / "file") in refusal("--port", "0", "--data-dir", str(tmp_path / "file"))


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"port": "http"}, "TOPLU_PORT"),
        ({"commit_seconds": "-1"}, "TOPLU_COMMIT_SECONDS"),
        ({"state_style": "shouting"}, "TOPLU_STATE_STYLE"),
    ],
)
def test_a_bad_setting_is_named(data_dir: str, settings: dict[str, str], name: str) -> None:
    assert name in refusal("--data-dir", data_dir, **settings)


def test_an_unknown_name_in_the_configuration_file(tmp_path: Path, data_dir: str) -> None:
    config = tmp_path / "toplu.toml"
    config.write_text("prot = 8080\n", encoding="utf-8")
    said = refusal("--data-dir", data_dir, "--config", str(config))
    assert str(config) in said
    assert "did you mean `port`?" in said


@pytest.mark.parametrize(
    ("source", "mistake"),
    [("path:/no/such.gguf", "no file /no/such.gguf"), ("path:FILE", "SHA-256 is")],
)
def test_a_model_file_that_cannot_be_the_one_meant(
    tmp_path: Path, data_dir: str, source: str, mistake: str
) -> None:
    (tmp_path / "own.gguf").write_bytes(b"not the one")
    source = source.replace("FILE", str(tmp_path / "own.gguf"))
    config = tmp_path / "toplu.toml"
    config.write_text(
        f'[[models]]\nname = "m"\nengine = "llama_cpp"\nlazy = true\nsource = "{source}"\n'
        f'sha256 = "{"0" * 64}"\n',
        encoding="utf-8",
    )
    assert mistake in refusal("--port", "0", "--data-dir", data_dir, "--config", str(config))


def test_a_configuration_file_that_is_not_there(tmp_path: Path, data_dir: str) -> None:
    config = str(tmp_path / "missing.toml")
    assert config in refusal("--data-dir", data_dir, "--config", config)


def test_a_server_open_to_all_without_keys(data_dir: str) -> None:
    said = refusal("--host", "0.0.0.0", "--port", "0", "--data-dir", data_dir)
    assert "toplu keys create" in said
