"""Lines of a batch file: what one asks and what one answers.

A line is read strictly as JSON and leniently as proto: single quotes are for hand-written curl
bodies, but both spellings of names and all forms of values are common in files. Inline
requests are written as lines too, so that both kinds of job share one path.
"""

import json
import re
from typing import Any, Generic, TypeVar

import msgspec

from toplu.errors import InvalidArgument, RequestError
from toplu.wire.gemini import lenient_json, message, proto_json
from toplu.wire.gemini.after import check_after, key_text, members_of
from toplu.wire.gemini.batch import InlinedRequest
from toplu.wire.gemini.content import GenerateContentRequest
from toplu.wire.gemini.embedding import EmbedContentRequest, InlinedEmbedContentRequest
from toplu.wire.gemini.labels import check_labels, labels_of
from toplu.wire.gemini.message import FreeForm, Message, Response

Key = str | int | float | None
R = TypeVar("R", GenerateContentRequest, EmbedContentRequest)

_FIRST_KEY = re.compile(rb"""\s*\{\s*["']?key["']?\s*:\s*("[^"\\]*+(?:\\.[^"\\]*+)*+"|-?[0-9]+)""")


class BatchLine(msgspec.Struct, Generic[R], frozen=True, kw_only=True):
    """One request, with what the client knows it by."""

    key: Key
    metadata: FreeForm | None
    request: R


class _KeyedLine(Message, frozen=True, kw_only=True):
    """The form of a line that carries more than the request; the other form is the request."""

    key: Key = None
    metadata: FreeForm | None = None
    after: Any = None
    after_failed: Any = None
    request: Any = None


class _KeyedGenerateLine(_KeyedLine, frozen=True, kw_only=True):
    request: GenerateContentRequest | None = None


class _KeyedEmbedLine(_KeyedLine, frozen=True, kw_only=True):
    request: EmbedContentRequest | None = None


class _Object(msgspec.Struct):
    """Any JSON object."""


class _Identity(msgspec.Struct):
    """The parts of a line that is no request, as far as they are kept."""

    key: Any = None
    metadata: Any = None


class _Outcome(msgspec.Struct, kw_only=True, omit_defaults=True):
    """An output line."""

    response: Response | None = None
    error: RequestError | None = None
    key: Key = None
    metadata: dict[str, str] | None = None


class _Failed(msgspec.Struct):
    """An output line with an error; the rest of it does not matter."""

    error: RequestError


_failed_decoder = msgspec.json.Decoder(_Failed)
_object_decoder = msgspec.json.Decoder(_Object)
_identity_decoder = msgspec.json.Decoder(_Identity)


class LineForm(Generic[R]):
    """Lines that all ask for the same method: each is a request, or an object that holds one."""

    def __init__(self, request_type: type[R], keyed_type: type[_KeyedLine]) -> None:
        self._request_type: type[R] = request_type
        self._keyed_type = keyed_type
        self._keyed_decoder = msgspec.json.Decoder(keyed_type)
        self._bare_decoder: msgspec.json.Decoder[R] = msgspec.json.Decoder(request_type)

    def read(self, line: bytes, number: int) -> BatchLine[R]:
        """Return the request on the line, or raise InvalidArgument that names the line."""
        try:
            if lenient_json.is_too_deep(line):
                lenient_json.parse(line)
            read = self._read_typed(line) or self._read_untyped(line)
            check_labels(read.request)
        except InvalidArgument as error:
            raise InvalidArgument(f"Error on line {number}: {error.message}") from error
        return read

    def read_request(self, line: bytes, number: int) -> R:
        """Return the request on the line, without what the client knows it by; raises as `read`."""
        if not lenient_json.is_too_deep(line):
            try:
                request: R | None = self._keyed_decoder.decode(line).request
            except proto_json.REFUSALS:
                request = None
            if request is not None and labels_of(request) is None:
                return request
        return self.read(line, number).request

    def _read_typed(self, line: bytes) -> BatchLine[R] | None:
        try:
            keyed = self._keyed_decoder.decode(line)
        except proto_json.REFUSALS:
            pass
        else:
            if keyed.request is None:
                return None
            check_after(keyed.after, keyed.after_failed)
            return BatchLine(key=keyed.key, metadata=keyed.metadata, request=keyed.request)
        try:
            return BatchLine(key=None, metadata=None, request=self._bare_decoder.decode(line))
        except proto_json.REFUSALS:
            return None

    def _read_untyped(self, line: bytes) -> BatchLine[R]:
        value = _read_object(line)
        if not value.keys() & {"key", "metadata", "request"}:
            request = proto_json.read_value(self._request_type, value)
            return BatchLine(key=None, metadata=None, request=request)
        if not _is_key(value.get("key")):
            quoted = proto_json.quote(value["key"])
            raise InvalidArgument(f"Invalid value at 'key' (TYPE_STRING), {quoted}")
        keyed = proto_json.read_value(self._keyed_type, value)
        if keyed.request is None:
            raise InvalidArgument("request is not specified")
        check_after(keyed.after, keyed.after_failed)
        return BatchLine(key=keyed.key, metadata=keyed.metadata, request=keyed.request)


GENERATE_LINES = LineForm(GenerateContentRequest, _KeyedGenerateLine)
EMBED_LINES = LineForm(EmbedContentRequest, _KeyedEmbedLine)

read_line = GENERATE_LINES.read


def is_object(line: bytes) -> bool:
    """Return whether the line is a JSON object, be it a request or not."""
    try:
        _object_decoder.decode(line)
    except proto_json.REFUSALS:
        return False
    return True


def object_fault(line: bytes, number: int) -> str:
    """Return why the line is no JSON object."""
    try:
        _read_object(line)
    except InvalidArgument as error:
        return f"Error on line {number}: {error.message}"
    raise AssertionError("it is one")


def _read_object(line: bytes) -> dict[str, Any]:
    try:
        value = msgspec.json.decode(line)
    except proto_json.REFUSALS as error:
        raise _syntax_error(line, error) from error
    if isinstance(value, dict):
        return value
    column = len(line) - len(line.lstrip()) + 1
    found = line[column - 1 : column].decode()
    raise _invalid_json(column, f"unexpected character: '{found}'; expected '{{'")


def _syntax_error(line: bytes, refusal: Exception) -> InvalidArgument:
    """Return the refusal with the column, which the fast decoder does not always name."""
    try:
        json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        return _invalid_json(error.start + 1, "the text is not UTF-8")
    except json.JSONDecodeError as error:
        if error.pos >= len(error.doc):
            return _invalid_json(error.pos + 1, "unexpected end of line")
        found = error.doc[error.pos]
        return _invalid_json(error.pos + 1, f"unexpected character: '{found}'; {error.msg}")
    except (ValueError, RecursionError):
        pass  # digits or nesting without end, in a text that is JSON otherwise
    # What Python's reader takes or cannot detect: NaN, half a surrogate pair, endless numbers.
    try:
        lenient_json.parse(line)
    except InvalidArgument as error:
        return error
    return InvalidArgument(f"invalid JSON: {refusal}")


def _invalid_json(column: int, reason: str) -> InvalidArgument:
    return InvalidArgument(f"invalid JSON, near column {column}: {reason}")


def identify(line: bytes) -> tuple[Key, FreeForm | None]:
    """Return the key and metadata of a line that cannot be read, as far as they can be read.

    Never raises: this is for the error result of the line, which must not fail in its turn.
    """
    try:
        identity = _identity_decoder.decode(line)
    except proto_json.REFUSALS:
        return _find_first_key(line), None
    if lenient_json.is_too_deep(line):
        return _find_first_key(line), None
    key = identity.key if _is_key(identity.key) else None
    metadata = identity.metadata if isinstance(identity.metadata, dict) else None
    return key, metadata


def name_of(line: bytes) -> str | None:
    """Return the key by which other lines name this one: of an inline request its metadata's."""
    key, metadata = identify(line)
    if key is None and metadata is not None:
        key = metadata.get("key")
    return key_text(key)


def _is_key(value: Any) -> bool:
    return isinstance(value, Key) and not isinstance(value, bool)


def _find_first_key(line: bytes) -> Key:
    found = _FIRST_KEY.match(line)
    if found is None:
        return None
    try:
        key = msgspec.json.decode(found[1], type=str | int)
    except proto_json.REFUSALS:
        return None
    return key


def write_inlined(request: InlinedRequest | InlinedEmbedContentRequest) -> bytes:
    """Return the entry as an input line, without a line end, that its form reads back equal."""
    members: dict[str, Any] = {"request": request.request}
    if request.metadata is not None:
        members = {"metadata": request.metadata} | members_of(request.metadata) | members
    return message.write(members)


def write_result(key: Key, metadata: FreeForm | None, outcome: Response | RequestError) -> bytes:
    """Return the output line, without a line end."""
    texts = None if metadata is None else _as_texts(metadata)
    if isinstance(outcome, RequestError):
        return message.write(_Outcome(error=outcome, key=key, metadata=texts))
    return message.write(_Outcome(response=outcome, key=key, metadata=texts))


def error_code_of(line: bytes) -> int | None:
    """Return the google.rpc number of an output line's error, or None if it is a response."""
    # As it is written: what has an error begins with it, and has no response.
    if not line.startswith(b'{"error":'):
        return None
    return _failed_decoder.decode(line).error.code


def with_number(line: bytes, number: int) -> bytes:
    """Return an output line that says first which request of the batch it answers, from 1."""
    return b'{"line":%d,' % number + message.on_one_line(line)[1:]


def without_number(line: bytes) -> tuple[int, bytes]:
    """Return what `with_number` was given."""
    number, _, rest = line.removeprefix(b'{"line":').partition(b",")
    return int(number), b"{" + rest


def _as_texts(metadata: FreeForm) -> dict[str, str]:
    # The SDKs take strings only, and null is the same as absent.
    return {
        name: value if isinstance(value, str) else message.write(value).decode()
        for name, value in metadata.items()
        if value is not None
    }
