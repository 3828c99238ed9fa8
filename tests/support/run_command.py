"""`toplu run` as a process: run to its end, killed, or told to stop."""

import contextlib
import csv
import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from support.server import TOPLU, clean_environment
from support.waiting import PATIENCE_SECONDS, eventually


class RunCommand:
    """One command line, which may be started again and again."""

    def __init__(
        self, folder: Path, source: Path, output: str, *words: str, **settings: Any
    ) -> None:
        self.output = folder / output
        self.words = [str(TOPLU), "run", str(source), "-o", str(self.output), *words]
        texts = {name: str(value) for name, value in settings.items()}
        self._environment = clean_environment(texts)
        self.told = ""  # on standard error, by the last go

    @property
    def unfinished(self) -> Path:
        """The folder of what is not done."""
        return self.output.with_name(f".{self.output.name}.toplu")

    @property
    def log(self) -> list[str]:
        """The lines that the private server has logged, in all goes so far."""
        return [
            line
            for path in self.unfinished.glob("*/log")
            for line in path.read_text(encoding="utf-8").splitlines()
        ]

    def finish(self, code: int = 0) -> str:
        """Run it to its end; return what it says."""
        return self.wait(self.start(), code)

    def finish_on_a_terminal(self) -> str:
        """Run it to its end on a terminal; return what is written on that."""
        controller, terminal = os.openpty()
        process = subprocess.Popen(
            self.words,
            env=self._environment | {"TERM": "xterm", "COLUMNS": "100"},
            stdout=subprocess.DEVNULL,
            stderr=terminal,
            start_new_session=True,
        )
        os.close(terminal)
        told = b""
        with contextlib.suppress(OSError):  # as a terminal ends
            while piece := os.read(controller, 65536):
                told += piece
        os.close(controller)
        assert process.wait(PATIENCE_SECONDS) == 0, told
        return told.decode()

    def start(self) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            self.words,
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def wait(self, process: "subprocess.Popen[str]", code: int) -> str:
        """Return what the process says when it has ended, with this exit status."""
        self.told = process.communicate(timeout=PATIENCE_SECONDS)[1]
        assert process.returncode == code, (process.returncode, self.told, self.log[-5:])
        return self.told

    def end_at(self, when: Callable[[], Any], how: signal.Signals, code: int) -> str:
        """Start it, and send the signal when the time has come; return what it says."""
        process = self.start()
        try:
            eventually(lambda: when() or process.poll() is not None)
            assert process.poll() is None, process.communicate()[1]
            process.send_signal(how)
            return self.wait(process, code)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(PATIENCE_SECONDS)

    def end_after(self, answers: int, how: signal.Signals, code: int) -> str:
        """Start it, and send the signal when so many requests were answered, in all goes."""
        return self.end_at(lambda: self.finished_requests() >= answers, how, code)

    def finished_requests(self) -> int:
        """Return how many requests the log says were answered; it is to be at level debug."""
        return sum('"request_finished"' in line for line in self.log)

    def rows(self) -> list[dict[str, Any]]:
        """Return the output's rows, which is to be JSON lines."""
        lines = self.output.read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines]


def table_of(folder: Path, rows: int) -> Path:
    path = folder / "in.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text"])
        writer.writerows([number, f'Row "{number}",\nof Ümlauts'] for number in range(rows))
    return path


def config_of(folder: Path, text: str) -> tuple[str, str]:
    path = folder / "models.toml"
    path.write_text(text)
    return "--config", str(path)


def check_rows(command: RunCommand, rows: int) -> None:
    assert [(row["id"], row["answer"], row["error"]) for row in command.rows()] == [
        (str(number), f'Say Row "{number}",\nof Ümlauts', None) for number in range(rows)
    ]
