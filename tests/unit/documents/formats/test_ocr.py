"""A server that is to call Tesseract starts only where it is there with its languages."""

from pathlib import Path

import pytest

from toplu.documents.formats.ocr import check_ocr
from toplu.errors import ConfigurationError
from toplu.settings.server import Settings


def put_tesseract(folder: Path, monkeypatch: pytest.MonkeyPatch, *languages: str) -> None:
    """Put a program of that name in the way that lists these languages."""
    program = folder / "tesseract"
    lines = "\n".join(["List of available languages (2):", *languages])
    program.write_text(f"#!/bin/sh\necho '{lines}'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/bin:/usr/bin")


def test_without_tesseract_the_message_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigurationError, match="Debian: tesseract-ocr"):
        check_ocr(Settings(ocr="tesseract"))


def test_a_language_that_is_not_installed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_tesseract(tmp_path, monkeypatch, "eng", "osd")
    check_ocr(Settings(ocr="tesseract"))
    with pytest.raises(ConfigurationError, match=r"Tesseract has no deu, fra here, of eng, osd"):
        check_ocr(Settings(ocr="tesseract", ocr_languages="eng+deu+fra"))


def test_nothing_is_asked_of_a_machine_where_nothing_is_to_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    check_ocr(Settings())
