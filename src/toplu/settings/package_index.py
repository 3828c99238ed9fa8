"""Finds the package index that pip or uv are set up for, so that models come from there too.

pip: https://pip.pypa.io/en/stable/topics/configuration/
uv: https://docs.astral.sh/uv/concepts/configuration-files/
"""

import configparser
import sys
import tomllib
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path

import platformdirs

PYPI = "https://pypi.org/simple"
VARIABLES = ("PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL")
SYSTEM = Path("/etc")


def find_package_index(environment: Mapping[str, str]) -> str:
    """Return the index of the environment, else of pip's files, else of uv's, else PyPI."""
    for variable in VARIABLES:
        if url := environment.get(variable, "").strip():
            # uv takes NAME=URL as well.
            return url if "://" in url.partition("=")[0] else url.partition("=")[2]
    named = environment.get("PIP_CONFIG_FILE")
    of_pip = map(_of_pip, [Path(named)] if named else _pip_files())
    of_uv = map(
        _of_uv, (platformdirs.user_config_path("uv") / "uv.toml", SYSTEM / "uv" / "uv.toml")
    )
    return next(filter(None, chain(of_pip, of_uv)), PYPI)


def _pip_files() -> Iterator[Path]:
    """Yield where pip looks, the file that wins first."""
    yield Path(sys.prefix) / "pip.conf"
    yield platformdirs.user_config_path("pip") / "pip.conf"
    yield Path.home() / ".pip" / "pip.conf"
    yield SYSTEM / "pip.conf"
    yield SYSTEM / "xdg" / "pip" / "pip.conf"


def _uv_files() -> Iterator[Path]:
    yield platformdirs.user_config_path("uv") / "uv.toml"
    yield SYSTEM / "uv" / "uv.toml"


def _of_pip(path: Path) -> str | None:
    parser = configparser.RawConfigParser()
    try:
        parser.read(path, encoding="utf-8")
    except (OSError, configparser.Error, UnicodeDecodeError):
        return None
    for section in ("install", "global"):
        if url := parser.get(section, "index-url", fallback="").strip():
            return url
    return None


def _of_uv(path: Path) -> str | None:
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError):
        return None
    for index in values.get("index", []):
        if index.get("default"):
            return str(index["url"])
    url = values.get("index-url")
    return None if url is None else str(url)
