"""The child process that reads the input of one dry run.

    parent ── stdin: one line of Reading ────▶ child
           ◀── stdout: one line of Findings ── exit
           ── stdin: end of file ──▶ exit

To read a million lines takes a minute of a processor, which the calls beside it are not to notice.
"""

from pathlib import Path

from toplu.batch.dry_run.findings import Findings, Reading
from toplu.batch.dry_run.line_check import LineCheck
from toplu.batch.plan.dependencies import write_waves
from toplu.batch.plan.external_sort import ExternalSort
from toplu.batch.plan.ordering import read_lines
from toplu.batch.plan.ordering_child import NICENESS, SORTER_BYTES
from toplu.batch.plan.wave_file import read_wave
from toplu.child_process import answer_order
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
    if check.waiting:
        _check_parents(reading, check)
    return check.finish()


def _check_parents(reading: Reading, check: LineCheck) -> None:
    """Find the lines that wait for what there is not."""
    path, folder = Path(reading.input_path), Path(reading.folder)
    line_bytes_max = reading.rules.line_bytes_max
    waves = write_waves(path, folder, line_bytes_max, carried=b"", memory_bytes=SORTER_BYTES)
    with path.open("rb") as lines:
        for wave in waves:
            with wave.open("rb") as entries:
                for entry in read_wave(entries):
                    lines.seek(entry.offset)
                    check.note_parents(entry, lines.read(entry.length))


def run_child() -> None:
    """Read the input that stdin names, and write what was found."""
    answer_order(Reading, read_input, niceness=NICENESS)


if __name__ == "__main__":
    run_child()
