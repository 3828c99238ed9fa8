"""Text of pictures of pages, by the operator's Tesseract.

A page has a process of its own, within the limits of the child that starts it: so much memory, and
as much processor time as the child itself may take.
"""

import io
import shutil
import subprocess
from typing import Any

from toplu.documents.fault import DocumentFault
from toplu.errors import ConfigurationError
from toplu.settings.server import Settings

TESSERACT = "tesseract"
# Beside an engine it is to have one core, and not all.
COMMAND = ("env", "OMP_THREAD_LIMIT=1", TESSERACT)
LISTING_SECONDS_MAX = 60.0


def recognize(picture: Any, dots_of_an_inch: int, *, page: int, languages: str) -> str:
    """Return the text of a page, or raise DocumentFault; in the child alone."""
    file = io.BytesIO()
    picture.save(file, "PPM")  # of grey levels: PGM, which costs nothing to write and to read
    command = [*COMMAND, "stdin", "stdout", "--dpi", str(dots_of_an_inch), "-l", languages]
    done = subprocess.run(  # noqa: S603  # our own words, and languages that the settings have checked
        command, input=file.getvalue(), capture_output=True, check=False
    )
    if done.returncode:
        said = "".join(done.stderr.decode(errors="replace").splitlines()[-1:])
        raise DocumentFault(
            f"is a PDF whose page {page} is an image that Tesseract has not read: "
            f"{said or 'it was ended by the limits on memory and time'}"
        )
    return done.stdout.decode(errors="replace").replace("\f", "")


def check_ocr(settings: Settings) -> None:
    """Raise ConfigurationError if Tesseract is set and not installed, or lacks a language."""
    if settings.ocr != "tesseract":
        return
    if shutil.which(TESSERACT) is None:
        raise ConfigurationError(
            'ocr = "tesseract", and there is no command tesseract: install it (Debian: '
            'tesseract-ocr), or set ocr = "never"'
        )
    command = [TESSERACT, "--list-langs"]
    listed = subprocess.run(  # noqa: S603  # our own words
        command, capture_output=True, check=False, text=True, timeout=LISTING_SECONDS_MAX
    )
    there = set(listed.stdout.split("\n")[1:])
    if missing := [each for each in settings.ocr_languages.split("+") if each not in there]:
        raise ConfigurationError(
            f"ocr_languages: Tesseract has no {', '.join(missing)} here, of "
            f"{', '.join(sorted(there - {''}))}"
        )
