"""The generated reference of the docs site has every setting that a file may have."""

import pkgutil
import sys
from importlib import import_module
from pathlib import Path

import msgspec
import pytest

from toplu import settings

ROOT = Path(__file__).parents[2]


def every_kind() -> set[type[msgspec.Struct]]:
    """Return the types of all tables of a configuration."""
    modules = pkgutil.walk_packages(settings.__path__, f"{settings.__name__}.")
    return {
        value
        for module in modules
        for name, value in vars(import_module(module.name)).items()
        if name.endswith("Settings") and issubclass(value, msgspec.Struct)
    }


def test_every_table_has_its_settings_in_the_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path, str(ROOT / "docs" / "site")])
    reference = import_module("reference")
    assert {kind for _, _, kind in reference.TABLES} == every_kind()
    page = reference.settings()
    for kind in every_kind():
        for field in msgspec.structs.fields(kind):
            assert f"`{field.name}`" in page
