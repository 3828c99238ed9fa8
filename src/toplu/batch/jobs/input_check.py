"""Finds faults of an input file at create, rather than line by line in the results."""

import asyncio
from typing import Any

from toplu.batch.line_reader import read_lines, span_groups
from toplu.errors import InvalidArgument
from toplu.settings.server import MIB, Settings
from toplu.store.blobs.blobs import Blobs
from toplu.store.rows.files import StoredFile
from toplu.wire.gemini import jsonl
from toplu.wire.gemini.jsonl import LineForm
from toplu.wire.gemini.line_splitter import LineSpan

REPORTED_MAX = 20  # bad lines named in one refusal
GROUP_LINES = 8192  # that are read and checked at a time
GROUP_BYTES = 4 * MIB


async def check_file(
    blobs: Blobs, file: StoredFile, form: LineForm[Any], settings: Settings
) -> None:
    """Raise InvalidArgument if the file is no JSONL at all; if checks are strict, for any bad line.

    A file is no JSONL when it is empty, or none of its lines is a JSON object.
    """
    faults: list[str] = []
    first_fault: str | None = None
    has_object = False
    groups = span_groups(blobs, file.blob, lines_max=GROUP_LINES, bytes_max=GROUP_BYTES)
    async for group in groups:
        lines = await read_lines(blobs, file.blob, group, settings.line_bytes_max)
        # In threads, for a long line with a fault keeps its reader busy for seconds.
        has_object = has_object or await asyncio.to_thread(_has_object, lines)
        if not has_object and first_fault is None:
            first_fault = await asyncio.to_thread(
                _object_fault, group[0], lines[0], settings.line_bytes_max
            )
        if settings.input_checks == "strict":
            faults += await asyncio.to_thread(_faults, group, lines, form, settings.line_bytes_max)
            if len(faults) >= REPORTED_MAX:
                break
        elif has_object:
            return
    if faults:
        raise InvalidArgument("\n".join(faults[:REPORTED_MAX]))
    if first_fault is not None:
        raise InvalidArgument(f"{first_fault}\nNo line of files/{file.id} is a JSON object.")
    if not has_object:
        raise InvalidArgument(f"files/{file.id} has no requests: it is empty.")


def _has_object(lines: list[bytes | None]) -> bool:
    return any(line is not None and jsonl.is_object(line) for line in lines)


def _object_fault(span: LineSpan, line: bytes | None, line_bytes_max: int) -> str:
    if line is None:
        return _too_long(span, line_bytes_max)
    return jsonl.object_fault(line, span.number)


def _faults(
    group: list[LineSpan], lines: list[bytes | None], form: LineForm[Any], line_bytes_max: int
) -> list[str]:
    faults = []
    for span, line in zip(group, lines, strict=True):
        if line is None:
            faults.append(_too_long(span, line_bytes_max))
            continue
        try:
            form.read(line, span.number)
        except InvalidArgument as error:
            faults.append(error.message)
    return faults


def _too_long(span: LineSpan, line_bytes_max: int) -> str:
    return f"Error on line {span.number}: the line is longer than {line_bytes_max} bytes"
