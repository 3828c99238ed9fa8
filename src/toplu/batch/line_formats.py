"""Reads the lines of a job, by its method."""

from typing import Any

from toplu.errors import InvalidArgument
from toplu.job import Method
from toplu.wire.gemini.jsonl import EMBED_LINES, GENERATE_LINES, LineForm

FORMS: dict[Method, LineForm[Any]] = {
    Method.GENERATE: GENERATE_LINES,
    Method.EMBED: EMBED_LINES,
}


def check_line_model(name: str | None, batch_model: str, number: int) -> None:
    """Raise InvalidArgument if the request on the line names another model than its batch."""
    if name is not None and name.removeprefix("models/") != batch_model:
        raise InvalidArgument(
            f"Error on line {number}: model {name} is not the model of the batch, "
            f"models/{batch_model}"
        )
