"""The texts that the lines of a history ask."""

import json
import re
from collections.abc import Sequence
from typing import Any


def text_of(line: bytes) -> str | None:
    """Return what the line says; None if it is broken."""
    try:
        asked = json.loads(line)
    except ValueError:
        return None
    return asked_by(asked)


def asked_by(line: dict[str, Any]) -> str:
    """Return what a line says that was read."""
    return str(line["request"]["contents"][0]["parts"][0]["text"])


def texts_of(lines: Sequence[bytes]) -> list[str | None]:
    """Return what each line asks once it is expanded: an answer is the text that was asked."""
    texts: list[str | None] = []
    known: dict[str, str] = {}  # by key; lines wait for lines before them
    for line in lines:
        text = text_of(line)
        if text is not None:
            text = re.sub(r"\$\{(.*?)\.text\}", lambda found: known[found[1]], text)
            known[json.loads(line)["key"]] = text
        texts.append(text)
    return texts
