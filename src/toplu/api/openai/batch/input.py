"""Lines of an input file to lines of the core, one after the other.

    {"custom_id", "method", "url", "body"}  ──▶  {"key", "metadata": {"openai": form}, "request"}

The metadata comes back with the result, and has what the form of the answer takes from the request.
A body that is wrong becomes a line without a request, with the error that the line is answered by.
"""

from collections.abc import Callable, Sequence

import msgspec

from toplu.api.openai.batch.custom_ids import CustomIds
from toplu.api.openai.batch.details import BatchDetails
from toplu.api.openai.endpoints import Endpoint
from toplu.api.openai.translation.asked import AnswerForm
from toplu.api.openai.translation.errors import failure_of
from toplu.batch.jobs.translated import Translated
from toplu.errors import InvalidArgument, TopluError
from toplu.settings.server import ModelSettings
from toplu.wire.gemini import message
from toplu.wire.openai.batch import BatchFault, InputLine
from toplu.wire.openai.error import ErrorBody
from toplu.wire.openai.message import InvalidParameter, read

FAULTS_MAX = 100  # that a batch tells of
POST = "POST"
METADATA = "openai"


class LineForm(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The note that a line of the core keeps for its answer, as JSON in its metadata."""

    form: AnswerForm
    status: int = 0  # of the error, if the body is wrong
    error: ErrorBody | None = None


class InputTranslator:
    """Translates the lines of one file and takes note of what is wrong with it."""

    def __init__(
        self,
        endpoint: Endpoint,
        details: BatchDetails,
        find_model: Callable[[str], ModelSettings],
    ) -> None:
        self._endpoint = endpoint
        self._details = details
        self._find_model = find_model
        self._model: str | None = None
        self._engine = ""
        self._ids = CustomIds()
        self._lines = 0
        self._faults: list[BatchFault] = []

    def translate(self, number: int, line: bytes | None) -> Sequence[bytes]:
        """Return the core's lines for a line: one, or one for each text to embed."""
        self._lines += 1
        if line is None:
            self._note("line_too_long", "The line is longer than this server reads.", number)
            return ()
        try:
            entry = read(InputLine, line)
        except InvalidParameter as error:
            if error.param is None:
                self._note("invalid_json_line", "The line is no JSON object.", number)
            else:
                self._note("invalid_request", error.message, number, error.param)
            return ()
        if not self._is_for_endpoint(entry, number):
            return ()
        self._ids.add(number, entry.custom_id)
        return self._translate_body(entry, number)

    def end(self) -> Translated:
        """Return what came of the file; too many faults are cut off."""
        for number in self._ids.repeated():
            self._note(
                "duplicate_custom_id", "An earlier line has this custom_id.", number, "custom_id"
            )
        if not self._lines:
            self._note("empty_file", "The file has no lines.", None)
        faults = sorted(self._faults, key=lambda fault: fault.line or 0)[:FAULTS_MAX]
        details = msgspec.structs.replace(self._details, lines=self._lines, faults=faults)
        return Translated(
            model=self._model or "",
            engine=self._engine,
            details=details.encode(),
            refusal=InvalidArgument(_told(faults[0])) if faults else None,
        )

    def _is_for_endpoint(self, entry: InputLine, number: int) -> bool:
        if entry.method.upper() != POST:
            self._note("invalid_method", "The method must be POST.", number, "method")
        elif entry.url != self._endpoint.url:
            reason = f"'{entry.url}' is not the endpoint of the batch, {self._endpoint.url}."
            self._note("mismatched_endpoint", reason, number, "url")
        else:
            return True
        return False

    def _translate_body(self, entry: InputLine, number: int) -> Sequence[bytes]:
        body = entry.body
        model = body.get("model") if isinstance(body, dict) else None
        if not isinstance(model, str):
            self._note("invalid_request", "The body must have a model.", number, "body.model")
            return ()
        if not self._is_for_model(model, number):
            return ()
        try:
            asked = self._endpoint.read(body)
        except InvalidParameter as error:
            failure = failure_of(error)
            kept = LineForm(form=AnswerForm(model=model), status=failure.status, error=failure.body)
            return (_line(entry, kept),)
        return [
            _line(
                entry,
                LineForm(form=msgspec.structs.replace(asked.form, part=part)),
                request,
            )
            for part, request in enumerate(asked.requests)
        ]

    def _is_for_model(self, model: str, number: int) -> bool:
        if self._model is None:
            self._model = model
            try:
                self._engine = self._find_model(model).name
            except TopluError as error:
                self._note("model_not_found", error.message, number, "body.model")
                return False
        elif model != self._model:
            reason = f"The file asks for '{self._model}' before: a batch has one model here."
            self._note("mismatched_model", reason, number, "body.model")
            return False
        return True

    def _note(self, code: str, text: str, line: int | None, param: str | None = None) -> None:
        if len(self._faults) < FAULTS_MAX:
            self._faults.append(BatchFault(code=code, message=text, line=line, param=param))


def _told(fault: BatchFault) -> str:
    where = "" if fault.line is None else f"Line {fault.line}: "
    return f"The input file is not valid. {where}{fault.message}"


def _line(entry: InputLine, kept: LineForm, request: msgspec.Struct | None = None) -> bytes:
    members: dict[str, object] = {
        "key": entry.custom_id,
        "metadata": {METADATA: msgspec.json.encode(kept).decode()},
    }
    if request is not None:
        members["request"] = request
    return message.write(members)
