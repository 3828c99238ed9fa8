from pathlib import Path

import pytest
from typer.testing import CliRunner

from toplu.cli.app import app
from toplu.errors import ConfigurationError
from toplu.settings.load import load
from toplu.settings.server import SearchSettings


def toplu_search(folder: Path, *words: str):
    return CliRunner().invoke(app, ["search", *words, "--data-dir", str(folder / "data")])


def test_documents_are_added_listed_and_removed(tmp_path: Path):
    docs = tmp_path / "my docs"
    docs.mkdir()
    (docs / "a.md").write_text("# Alpha\n\nfirst")
    assert toplu_search(tmp_path, "add", str(docs)).output == "my docs: 1 documents\n"
    (docs / "b.txt").write_text("second")
    assert toplu_search(tmp_path, "add", str(docs)).output == "my docs: 2 documents\n"
    assert "my docs" in toplu_search(tmp_path, "list").output
    assert toplu_search(tmp_path, "remove", "my docs").exit_code == 0
    assert "my docs" not in toplu_search(tmp_path, "list").output


def test_what_cannot_be_done_is_an_error(tmp_path: Path):
    (tmp_path / "image.png").write_bytes(b"x")
    for words, reason in (
        (("add", str(tmp_path / "none")), "no such file or folder"),
        (("add", str(tmp_path / "image.png")), "no document that can be read"),
        (("remove", "none"), "nothing of that name"),
    ):
        error = toplu_search(tmp_path, *words).exception
        assert isinstance(error, ConfigurationError)
        assert reason in str(error)


def test_the_settings_have_a_table_for_search(tmp_path: Path):
    file = tmp_path / "toplu.toml"
    file.write_text('[search]\nprovider = "searxng"\nurl = "http://127.0.0.1:8080"\n')
    wanted = SearchSettings(provider="searxng", url="http://127.0.0.1:8080")
    assert load(file, environment={}).search == wanted
    file.write_text('[search]\nprovider = "searxng"\n')
    with pytest.raises(ConfigurationError, match="needs the url"):
        load(file, environment={})
    file.write_text("[search]\nresults_max = 0\n")
    with pytest.raises(ConfigurationError, match="results_max"):
        load(file, environment={})
