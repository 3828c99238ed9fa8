from pathlib import Path

import pytest

from toplu.settings import package_index
from toplu.settings.load import load
from toplu.settings.package_index import PYPI, find_package_index


@pytest.fixture(autouse=True)
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has set up pip or uv here."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / ".config"))
    monkeypatch.setattr(package_index, "SYSTEM", tmp_path / "etc")
    monkeypatch.setattr(package_index.sys, "prefix", str(tmp_path / "venv"))


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True)
    path.write_text(text)


def test_the_index_is_pypi_where_nothing_else_is_set_up():
    assert find_package_index({}) == PYPI


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"PIP_INDEX_URL": "https://a/simple"}, "https://a/simple"),
        ({"UV_DEFAULT_INDEX": "https://b/simple"}, "https://b/simple"),
        ({"UV_DEFAULT_INDEX": "corp=https://b/simple"}, "https://b/simple"),
        ({"UV_INDEX_URL": "https://u:p@c/simple?a=b"}, "https://u:p@c/simple?a=b"),
        ({"PIP_INDEX_URL": "  ", "UV_INDEX_URL": "https://c"}, "https://c"),
    ],
)
def test_variables_of_pip_and_uv_name_the_index(environment: dict[str, str], expected: str):
    assert find_package_index(environment) == expected


@pytest.mark.parametrize("place", ["venv", ".config/pip", ".pip", "etc", "etc/xdg/pip"])
def test_the_files_of_pip_name_the_index(tmp_path: Path, place: str):
    write(tmp_path / place / "pip.conf", "[global]\nindex-url = https://a/%simple\n")
    assert find_package_index({}) == "https://a/%simple"
    other = tmp_path / "other.conf"
    other.write_text("[install]\nindex-url = https://b\n[global]\nindex-url = https://c\n")
    assert find_package_index({"PIP_CONFIG_FILE": str(other)}) == "https://b"


@pytest.mark.parametrize(
    "text",
    [
        'index-url = "https://a"',
        '[[index]]\nurl = "https://more"\n[[index]]\nurl = "https://a"\ndefault = true',
    ],
)
@pytest.mark.parametrize("place", [".config/uv", "etc/uv"])
def test_the_files_of_uv_name_the_index(tmp_path: Path, place: str, text: str):
    write(tmp_path / place / "uv.toml", text)
    assert find_package_index({}) == "https://a"


def test_files_that_cannot_be_read_are_left_to_pip_and_uv(tmp_path: Path):
    write(tmp_path / "venv" / "pip.conf", "index-url = https://no-section\n")
    write(tmp_path / ".config" / "uv" / "uv.toml", "index-url = ")
    assert find_package_index({}) == PYPI


def test_our_own_setting_wins():
    variables = {"PIP_INDEX_URL": "https://a"}
    assert load(environment=variables).package_index_url == "https://a"
    variables["TOPLU_PACKAGE_INDEX_URL"] = "https://b"
    assert load(environment=variables).package_index_url == "https://b"
