"""Lines of OpenAI's Batch API: to lines of the core, and its results to lines of output files."""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import msgspec

from toplu.api.openai.batch.custom_ids import CustomIds
from toplu.api.openai.endpoints import BY_URL, Endpoint
from toplu.api.openai.translation.asked import Asked
from toplu.api.openai.translation.errors import OK, failure_of_request
from toplu.clock import SystemClock
from toplu.errors import InvalidArgument, RequestError
from toplu.oneshot.rows.outputs import Tally
from toplu.tables.table import Column, Kind, Row, TableError, numbered_lines
from toplu.wire.gemini import jsonl, message
from toplu.wire.openai.batch import InputLine, LineResponse, OutputLine
from toplu.wire.openai.message import FreeForm, Message, read


class OpenaiQuestions:
    """Lines as they are, of one endpoint and one model; the ids that their client gave are rows."""

    columns = (Column("custom_id", Kind.TEXT),)

    def __init__(self, path: Path, limit: int | None, *, one_text: bool) -> None:
        """ConfigurationError if the first line is wrong.

        `one_text` refuses lines with several texts to embed, which have no place in a row.
        """
        self._path = path
        self._limit = limit
        self._one_text = one_text
        self._url, self.model = self._first()
        self.endpoint: Endpoint = BY_URL[self._url]
        self.method = self.endpoint.method

    def lines(self) -> Iterator[bytes]:
        """Yield the core's lines; ConfigurationError names a line that is wrong."""
        ids = CustomIds()
        for number, entry, asked in self._entries():
            ids.add(number, entry.custom_id)
            if asked.form.model != self.model:
                reason = f"asks for {asked.form.model}, and a line before for {self.model}"
                raise TableError.at(self._path, f"line {number}", reason)
            if self._one_text and len(asked.requests) > 1:
                reason = "has several texts; write them to a .jsonl file, or each on its own line"
                raise TableError.at(self._path, f"line {number}", reason)
            for request in asked.requests:
                yield message.write({"key": entry.custom_id, "request": request}) + b"\n"
        for number in ids.repeated():
            raise TableError.at(self._path, f"line {number}", "has the custom_id of a line before")

    def rows(self) -> Iterator[tuple[Row, str | None]]:
        """Yield the ids."""
        for _, entry, _ in self._entries():
            yield [entry.custom_id], None

    def asked(self) -> Iterator[tuple[str, Asked]]:
        """Yield the ids, each with what its line asks."""
        for _, entry, asked in self._entries():
            yield entry.custom_id, asked

    def _first(self) -> tuple[str, str]:
        for number, line in self._numbered():
            entry, asked = self._read(number, line)
            return entry.url, asked.form.model
        raise TableError(f"{self._path}: has no lines")

    def _entries(self) -> Iterator[tuple[int, InputLine, Asked]]:
        for number, line in islice(self._numbered(), self._limit):
            entry, asked = self._read(number, line)
            if entry.url != self._url:
                reason = f"asks {entry.url}, and the lines before {self._url}"
                raise TableError.at(self._path, f"line {number}", reason)
            yield number, entry, asked

    def _read(self, number: int, line: str) -> tuple[InputLine, Asked]:
        try:
            entry = read(InputLine, line.encode())
            return entry, _endpoint_of(entry).read(entry.body)
        except InvalidArgument as error:
            raise TableError.at(self._path, f"line {number}", error.message) from error

    def _numbered(self) -> Iterator[tuple[int, str]]:
        return ((number, line) for number, line in numbered_lines(self._path) if line.strip())


def _endpoint_of(entry: InputLine) -> Endpoint:
    endpoint = BY_URL.get(entry.url)
    if endpoint is None:
        raise InvalidArgument(f"{entry.url} is not served; served are {', '.join(BY_URL)}")
    return endpoint


class _Result(msgspec.Struct, frozen=True):
    """A result of the core."""

    response: FreeForm | None = None
    error: RequestError | None = None


class OpenaiOutput:
    """Lines as OpenAI's output and error files have them, all in one, in the input's order."""

    def __init__(
        self, file: BinaryIO, questions: OpenaiQuestions, *, missing: RequestError
    ) -> None:
        self._file = file
        self._endpoint = questions.endpoint
        self._entries = questions.asked()
        self._entry = next(self._entries, None)
        self._gathered: list[_Result] = []  # of one line with several texts
        self._missing = _Result(error=missing)
        self._decoder = msgspec.json.Decoder(_Result)
        self._created = int(SystemClock().now().timestamp())
        self._line = 0  # of the core's
        self.tally = Tally()

    def add(self, lines: Sequence[bytes]) -> None:
        """Write the lines up to that of the last of these results."""
        for line in lines:
            number, result = jsonl.without_number(line)
            while self._line + 1 < number:
                self._take(self._missing)
            self._take(self._decoder.decode(result))

    def finish(self) -> None:
        """Write the lines that are left, none of which has a result."""
        while self._entry is not None:
            self._take(self._missing)

    def _take(self, result: _Result) -> None:
        assert self._entry is not None, "the batch was made of the same lines"
        self._line += 1
        self._gathered.append(result)
        custom_id, asked = self._entry
        if len(self._gathered) == len(asked.requests):
            self._write(custom_id, asked)
            self._gathered = []
            self._entry = next(self._entries, None)

    def _write(self, custom_id: str, asked: Asked) -> None:
        self.tally.rows += 1
        number = self.tally.rows
        status, body = self._answer(asked)
        self.tally.failed += status != OK
        response = LineResponse(status_code=status, request_id=f"req_{number}", body=body)
        line = OutputLine(
            id=f"batch_req_{number}", custom_id=custom_id, response=response, error=None
        )
        self._file.write(message.write(line) + b"\n")

    def _answer(self, asked: Asked) -> tuple[int, Message]:
        """Return the status and the body that the line is answered with."""
        for each in self._gathered:
            if each.error is not None:
                failure = failure_of_request(each.error)
                return failure.status, failure.body
        responses = [each.response or {} for each in self._gathered]
        return OK, self._endpoint.write(responses, asked.form, self._created)
