"""What is wrong with an input file, told at create rather than line by line in the results."""

from collections.abc import AsyncIterator

from toplu.errors import InvalidArgument
from toplu.gemini import jsonl
from toplu.gemini.jsonl import LineSpan, LineSplitter
from toplu.settings import Settings
from toplu.store.blobs import Blobs
from toplu.store.files import StoredFile

REPORTED_MAX = 20  # bad lines named in one refusal


async def check_file(blobs: Blobs, file: StoredFile, settings: Settings) -> None:
    """Raise InvalidArgument if the file is no JSONL at all; if checks are strict, for any bad line.

    A file is no JSONL when it is empty or its first line is no JSON object.
    """
    faults: list[str] = []
    count = 0
    async for span in _spans(blobs, file):
        count += 1
        if span.length > settings.line_bytes_max:
            faults.append(
                f"Error on line {span.number}: longer than {settings.line_bytes_max} bytes"
            )
        else:
            line = await blobs.read(file.blob, span.offset, span.length)
            if count == 1:
                jsonl.check_first_line(line)
            if settings.input_checks == "strict":
                _collect_fault(line, span.number, faults)
        if settings.input_checks == "lenient" or len(faults) >= REPORTED_MAX:
            break
    if not count:
        raise InvalidArgument(f"files/{file.id} has no requests: it is empty.")
    if faults:
        raise InvalidArgument("\n".join(faults))


def _collect_fault(line: bytes, number: int, faults: list[str]) -> None:
    try:
        jsonl.read_line(line, number)
    except InvalidArgument as error:
        faults.append(error.message)


async def _spans(blobs: Blobs, file: StoredFile) -> AsyncIterator[LineSpan]:
    splitter = LineSplitter()
    async for chunk in blobs.stream(file.blob):
        for span in splitter.feed(chunk):
            yield span
    for span in splitter.finish():
        yield span
