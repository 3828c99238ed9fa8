"""The manifest of a backup says what is in it, and that it is whole."""

from pathlib import Path

import msgspec
import pytest

from toplu.backup.manifest import Header, copy_file, read_manifest, sum_of, write_manifest
from toplu.errors import ConfigurationError

HEADER = Header(toplu="0.1.0", created="2026-01-01T00:00:00Z")


def test_what_is_copied_is_what_it_says(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"0123456789" * 300_000)
    whole = copy_file(source, tmp_path, "a/whole")
    part = copy_file(source, tmp_path, "a/part", bytes_max=1_500_001)
    assert (tmp_path / "a/whole").read_bytes() == source.read_bytes()
    assert (tmp_path / "a/part").read_bytes() == source.read_bytes()[:1_500_001]
    assert (whole.size_bytes, part.size_bytes) == (3_000_000, 1_500_001)
    assert sum_of(tmp_path, "a/whole") == whole
    write_manifest(tmp_path, HEADER, [whole, part])
    assert read_manifest(tmp_path) == (HEADER, [part, whole])


@pytest.mark.parametrize("path", ["/etc/passwd", "../outside", "a/../../b", ""])
def test_a_path_that_leads_out_of_the_backup_is_refused(tmp_path: Path, path: str) -> None:
    source = tmp_path / "source"
    source.touch()
    entry = msgspec.structs.replace(copy_file(source, tmp_path, "in"), path=path)
    write_manifest(tmp_path, HEADER, [entry])
    with pytest.raises(ConfigurationError, match="is damaged"):
        read_manifest(tmp_path)


def test_another_form_is_said_to_be_one(tmp_path: Path) -> None:
    write_manifest(tmp_path, msgspec.structs.replace(HEADER, format=2), [])
    with pytest.raises(ConfigurationError, match="in another form"):
        read_manifest(tmp_path)
