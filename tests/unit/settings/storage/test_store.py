"""The setting of where rows are: three ways to name a server, and a URL that nothing prints."""

from pathlib import Path

import pytest

from toplu.errors import ConfigurationError
from toplu.settings.load import load
from toplu.settings.server import StoreSettings

URL = "postgresql://toplu:hunter2@db.example/toplu"


def loaded(tmp_path: Path, text: str, environment: dict[str, str] | None = None) -> StoreSettings:
    config = tmp_path / "toplu.toml"
    config.write_text(f"[store]\n{text}\n")
    return load(config, environment or {}).store


def test_rows_are_in_the_data_folder_where_no_server_is_named() -> None:
    assert not StoreSettings().is_shared
    assert StoreSettings().read_url() is None


def test_a_url_is_written_read_from_a_file_or_from_the_environment(tmp_path: Path) -> None:
    (tmp_path / "url").write_text(f"{URL}\n")
    variables = {"TOPLU_STORE_URL": URL}
    for text in (
        f'url = "{URL}"',
        f'url_file = "{tmp_path}/url"',
        'url_env = "TOPLU_STORE_URL"',
    ):
        store = loaded(tmp_path, text, variables if "env" in text else None)
        url = store.read_url(variables)
        assert store.is_shared
        assert url is not None
        assert url.reveal() == URL
        assert "hunter2" not in f"{url} {url!r}"


def test_a_url_that_is_not_there_is_named_by_its_place(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="the variable STORE has no URL"):
        StoreSettings(url_env="STORE").read_url({})
    with pytest.raises(ConfigurationError, match="cannot be read: FileNotFoundError"):
        StoreSettings(url_file=tmp_path / "none").read_url()


def test_one_place_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="one of url, url_file and url_env"):
        loaded(tmp_path, f'url = "{URL}"\nurl_env = "STORE"')
