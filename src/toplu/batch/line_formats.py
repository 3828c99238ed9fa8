"""Reads the lines of a job, by its method."""

from typing import Any

from toplu.job import Method
from toplu.wire.gemini.jsonl import EMBED_LINES, GENERATE_LINES, LineForm

FORMS: dict[Method, LineForm[Any]] = {
    Method.GENERATE: GENERATE_LINES,
    Method.EMBED: EMBED_LINES,
}
