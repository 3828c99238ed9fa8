"""Lines of an input file to lines of the core, one after the other.

    {"custom_id", "method", "url", "body"}  ──▶  {"key", "metadata": {"openai": form}, "request"}

The metadata comes back with the result, and has what the form of the answer takes from the request.
A body that is wrong becomes a line without a request, with the error that the line is answered by.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import msgspec

from toplu.api.openai.batch.custom_ids import CustomIds
from toplu.api.openai.batch.details import BatchDetails
from toplu.api.openai.endpoints import Endpoint
from toplu.api.openai.translation.asked import AnswerForm
from toplu.api.openai.translation.errors import failure_of
from toplu.batch.jobs.translated import EngineLine, Translated, TranslatedPart
from toplu.errors import InvalidArgument, TopluError
from toplu.settings.server import ModelSettings
from toplu.wire.gemini import message
from toplu.wire.openai.batch import BatchFault, InputLine
from toplu.wire.openai.error import ErrorBody
from toplu.wire.openai.message import InvalidParameter, read

FAULTS_MAX = 100  # that a batch tells of
NAMES_KEPT = 256  # of models whose engine is known without asking again
POST = "POST"
METADATA = "openai"


class LineForm(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The note that a line of the core keeps for its answer, as JSON in its metadata."""

    form: AnswerForm
    line: int = 0  # its number in the file: where the answers of several engines are put together
    status: int = 0  # of the error, if the body is wrong
    error: ErrorBody | None = None


@dataclass(slots=True, kw_only=True)
class _Part:
    """The lines for one engine."""

    model: str  # as the first of them spells it
    lines: int = 0


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
        self._engine_named = lru_cache(NAMES_KEPT)(lambda name: find_model(name).name)
        self._parts: dict[str, _Part] = {}  # by engine
        self._ids = CustomIds()
        self._lines = 0
        self._faults: list[BatchFault] = []

    def translate(self, number: int, line: bytes | None) -> Sequence[EngineLine]:
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
        if faults:
            engine, first = next(iter(self._parts.items()), ("", _Part(model="")))
            details = msgspec.structs.replace(self._details, lines=self._lines, faults=faults)
            refused = TranslatedPart(model=first.model, engine=engine, details=details.encode())
            return Translated(parts=[refused], refusal=InvalidArgument(_told(faults[0])))
        return Translated(
            parts=[
                TranslatedPart(
                    model=part.model,
                    engine=engine,
                    details=msgspec.structs.replace(self._details, lines=part.lines).encode(),
                )
                for engine, part in self._parts.items()
            ]
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

    def _translate_body(self, entry: InputLine, number: int) -> Sequence[EngineLine]:
        body = entry.body
        model = body.get("model") if isinstance(body, dict) else None
        if not isinstance(model, str):
            self._note("invalid_request", "The body must have a model.", number, "body.model")
            return ()
        engine = self._engine_of(model, number)
        if engine is None:
            return ()
        self._parts.setdefault(engine, _Part(model=model)).lines += 1
        return [EngineLine(engine=engine, line=line) for line in self._lines_of(entry, number)]

    def _lines_of(self, entry: InputLine, number: int) -> Iterator[bytes]:
        try:
            asked = self._endpoint.read(entry.body)
        except InvalidParameter as error:
            failure = failure_of(error)
            form = AnswerForm(model=entry.body["model"])
            kept = LineForm(form=form, line=number, status=failure.status, error=failure.body)
            yield _line(entry, kept)
            return
        for part, request in enumerate(asked.requests):
            form = msgspec.structs.replace(asked.form, part=part)
            yield _line(entry, LineForm(form=form, line=number), request)

    def _engine_of(self, model: str, number: int) -> str | None:
        """Return the engine of the model; one that nobody serves is a fault of the line."""
        try:
            return self._engine_named(model)
        except TopluError as error:
            self._note("model_not_found", error.message, number, "body.model")
            return None

    def _note(self, code: str, text: str, line: int | None, param: str | None = None) -> None:
        if len(self._faults) < FAULTS_MAX:
            self._faults.append(BatchFault(code=code, message=text, line=line, param=param))


class _Noted(msgspec.Struct, kw_only=True):
    """The part of a line of the core, or of its result, that says what of the client's it is."""

    metadata: dict[str, str]


_noted = msgspec.json.Decoder(_Noted)


def form_of(line: bytes) -> LineForm:
    """Return the note of a line of the core, or of its result."""
    return form_in(_noted.decode(line).metadata)


def form_in(metadata: Mapping[str, str]) -> LineForm:
    """Return the note in the metadata of a line of the core."""
    return msgspec.json.decode(metadata[METADATA], type=LineForm)


def _told(fault: BatchFault) -> str:
    where = "" if fault.line is None else f"Line {fault.line}: "
    return f"The input file is not valid. {where}{fault.message}"


def _line(entry: InputLine, kept: LineForm, request: msgspec.Struct | None = None) -> bytes:
    members: dict[str, object] = {
        "key": entry.custom_id,
        "metadata": {METADATA: msgspec.json.encode(kept).decode()},
    }
    if request is not None:
        asked = {"after": entry.after, "after_failed": entry.after_failed, "request": request}
        members |= {name: value for name, value in asked.items() if value is not None}
    return message.write(members)
