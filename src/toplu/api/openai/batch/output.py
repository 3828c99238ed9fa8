"""Results of the core to lines of output and error files.

    {"key", "metadata", "response" or "error"}  ──▶  {"id", "custom_id", "response", "error"}

The results of one line with several texts stand one behind the other, and become one line.
"""

from collections.abc import Iterator

import msgspec

from toplu.api.openai.batch.details import details_of
from toplu.api.openai.batch.input import METADATA, LineForm, form_of
from toplu.api.openai.endpoints import BY_URL, Endpoint
from toplu.api.openai.translation.errors import OK, failure_of_request
from toplu.batch.results.rendering import RenderedFile, RenderedLine
from toplu.errors import RequestError
from toplu.job import Job, JobState
from toplu.wire.gemini import message
from toplu.wire.openai.batch import LineError, LineResponse, OutputLine
from toplu.wire.openai.error import ErrorBody
from toplu.wire.openai.message import FreeForm

REASONS = {
    JobState.EXPIRED: LineError(
        code="batch_expired",
        message="This request could not be executed before the completion window expired.",
    ),
    JobState.CANCELLED: LineError(
        code="batch_cancelled", message="The batch was cancelled before this request was executed."
    ),
    JobState.FAILED: LineError(
        code="batch_failed", message="The batch failed before this request was executed."
    ),
}


class _Result(msgspec.Struct, kw_only=True):
    """A result of the core, or a line of its input."""

    key: str = ""
    metadata: dict[str, str] = {}
    response: FreeForm | None = None
    error: RequestError | None = None

    @property
    def is_unreached(self) -> bool:
        return self.response is None and self.error is None

    @property
    def kept(self) -> LineForm:
        return msgspec.json.decode(self.metadata[METADATA], type=LineForm)


_decoder = msgspec.json.Decoder(_Result)


class OutputForm:
    """Writes the lines of one batch's files, in their order; `job` stands for it as a whole."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._endpoint: Endpoint = BY_URL[details_of(job).endpoint]
        self._created = int(job.created.timestamp())
        self._count = 0
        self._gathered: list[_Result] = []  # of one line with several texts, those so far

    def write(self, result: bytes) -> Iterator[RenderedLine]:
        """Yield the line, once the last of its results is here.

        A line that lacks one yields nothing: among the results so far there are gaps.
        """
        return self._gather(_decoder.decode(result))

    def write_unreached(self, line: bytes) -> Iterator[RenderedLine]:
        """Yield the line that says why there is no response."""
        return self._gather(_decoder.decode(line))

    def place_of(self, line: bytes) -> int:
        """Return the number of the client's line."""
        return form_of(line).line

    def _gather(self, result: _Result) -> Iterator[RenderedLine]:
        form = result.kept.form
        if form.part == 0:
            self._gathered = []
        self._gathered.append(result)
        if form.part + 1 == form.parts == len(self._gathered):
            yield self._outcome(self._gathered, result.kept)

    def _outcome(self, results: list[_Result], kept: LineForm) -> RenderedLine:
        key = results[0].key
        if any(result.is_unreached for result in results):
            return self._failed(key, None, REASONS[self._job.state])
        if kept.error is not None:
            return self._failed(key, self._response(kept.status, kept.error), None)
        failed = next((each.error for each in results if each.error is not None), None)
        if failed is not None:
            failure = failure_of_request(failed)
            return self._failed(key, self._response(failure.status, failure.body), None)
        responses = [each.response for each in results if each.response is not None]
        body = self._endpoint.write(responses, kept.form, self._created)
        written = self._line(key, self._response(OK, body), None)
        return RenderedLine(RenderedFile.OUTPUT, written)

    def _response(self, status: int, body: msgspec.Struct | ErrorBody) -> LineResponse:
        return LineResponse(
            status_code=status, request_id=f"req_{self._job.id}_{self._count + 1}", body=body
        )

    def _failed(
        self, key: str, response: LineResponse | None, error: LineError | None
    ) -> RenderedLine:
        return RenderedLine(RenderedFile.ERRORS, self._line(key, response, error))

    def _line(self, key: str, response: LineResponse | None, error: LineError | None) -> bytes:
        self._count += 1
        line = OutputLine(
            id=f"batch_req_{self._job.id}_{self._count}",
            custom_id=key,
            response=response,
            error=error,
        )
        return message.write(line)
