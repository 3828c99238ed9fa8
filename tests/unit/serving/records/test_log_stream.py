"""A log that cannot be written loses lines and nothing else, and says how many."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from toplu.serving.records.log_stream import LogStream

PIPE_BYTES_MAX = 1024 * 1024  # more than a pipe holds


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    os.set_blocking(reader, False)
    yield reader, writer
    for descriptor in (reader, writer):
        os.close(descriptor)


def test_lines_are_written_as_they_come(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as file:
        stream = LogStream(file.fileno())
        assert stream.write("one\n") == 4
        stream.write("zwei ä \udcff\n")
        stream.flush()
    assert (tmp_path / "log").read_bytes() == "one\nzwei ä \\udcff\n".encode()


def test_a_full_disk_loses_lines_and_raises_nothing(tmp_path: Path) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    stream = LogStream(full)
    assert stream.write("lost\n") == 5
    stream.write("lost as well\n")
    with (tmp_path / "log").open("wb") as file:
        os.dup2(file.fileno(), full)
        stream.write("kept\n")
        stream.write("kept, too\n")
    os.close(full)
    notice, *lines = (tmp_path / "log").read_text(encoding="utf-8").splitlines()
    assert json.loads(notice) == {"event": "log_lines_lost", "level": "warning", "count": 2}
    assert lines == ["kept", "kept, too"]


def test_a_line_that_was_cut_off_does_not_run_into_the_next(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    stream = LogStream(writer)
    stream.write("x" * PIPE_BYTES_MAX + "\n")
    assert os.read(reader, PIPE_BYTES_MAX).strip(b"x") == b""
    stream.write("next\n")
    end, notice, line = os.read(reader, PIPE_BYTES_MAX).decode().splitlines()
    assert end == ""
    assert json.loads(notice)["count"] == 1
    assert line == "next"


def test_a_reader_that_went_away_stops_nothing() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    stream = LogStream(writer)
    assert stream.write("to nobody\n") == 10
    os.close(writer)
