"""The child process that reads the input of one dry run.

    parent ── stdin: one line of Reading ────▶ child
           ◀── stdout: one line of Findings ── exit
           ── stdin: end of file ──▶ exit

To read a million lines takes a minute of a processor, which the calls beside it are not to notice.
"""

import os
import signal
import sys
from pathlib import Path

import msgspec

from toplu.batch.dry_run.findings import Findings, Reading
from toplu.batch.dry_run.line_check import LineCheck
from toplu.batch.plan.external_sort import ExternalSort
from toplu.batch.plan.ordering import read_lines
from toplu.batch.plan.ordering_child import NICENESS, SORTER_BYTES
from toplu.child_process import exit_with_parent
from toplu.errors import InvalidArgument


def read_input(reading: Reading) -> Findings:
    """Return what is found of the whole input."""
    check = LineCheck(reading, ExternalSort(Path(reading.folder), SORTER_BYTES))
    with Path(reading.input_path).open("rb") as file:
        for span, line in read_lines(file, reading.rules.line_bytes_max):
            try:
                check.add(span, line)
            except InvalidArgument as refusal:
                return Findings(refusal=refusal.message)
    return check.finish()


def run_child() -> None:
    """Read the input that stdin names, and write what was found."""
    for ignored in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ignored, signal.SIG_IGN)
    os.nice(NICENESS)
    reading = msgspec.json.decode(sys.stdin.buffer.readline(), type=Reading)
    exit_with_parent()
    try:
        findings = read_input(reading)
    except OSError as fault:
        findings = Findings(errno=fault.errno)
    sys.stdout.buffer.write(msgspec.json.encode(findings) + b"\n")


if __name__ == "__main__":
    run_child()
