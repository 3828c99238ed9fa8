"""Messages of a chat, as the system instruction and the turns of a GenerateContentRequest."""

import base64
import binascii
import mimetypes
import re
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from toplu.wire.gemini.content import Blob, Content, FileData, Part
from toplu.wire.gemini.tool import FunctionCall, FunctionResponse
from toplu.wire.openai.chat import ChatMessage, ContentPart, FileInput
from toplu.wire.openai.message import InvalidParameter, UnsupportedParameter
from toplu.wire.openai.tool import ToolCall

FILE_ID = re.compile(r"file-([A-Za-z0-9-]+)")
DATA_URL = re.compile(r"data:(?P<type>[^;,]+)(?:;[^,;]+)*;base64,(?P<data>.*)", re.DOTALL)
INSTRUCTING = frozenset({"system", "developer"})
REMOTE = (
    "Only data URLs are served ('data:image/png;base64,…'): this server fetches nothing from other "
    "places."
)


def read_contents(
    messages: Sequence[ChatMessage], path: str = "messages"
) -> tuple[Content | None, list[Content]]:
    """Return the system instruction, if there is one, and the turns; raises InvalidParameter."""
    if not messages:
        raise InvalidParameter(path, f"'{path}' must have at least one message.")
    system: list[Part] = []
    turns: list[Content] = []
    names: dict[str, str] = {}  # of the functions that were called, by the id of the call
    for index, message in enumerate(messages):
        at = f"{path}[{index}]"
        _refuse_unserved(message, at)
        if message.role in INSTRUCTING:
            system += _parts(message, at)
        elif message.role == "user":
            turns.append(Content(role="user", parts=_parts(message, at)))
        elif message.role == "assistant":
            turns.append(Content(role="model", parts=_answer_parts(message, at, names)))
        else:
            turns.append(Content(role="user", parts=[_result_part(message, at, names)]))
    return Content(parts=system) if system else None, turns


def _refuse_unserved(message: ChatMessage, at: str) -> None:
    if message.audio is not None:
        raise UnsupportedParameter(f"{at}.audio")
    if message.function_call is not None:
        raise UnsupportedParameter(
            f"{at}.function_call",
            f"'{at}.function_call' is the older form of calls: use 'tool_calls'.",
        )


def _parts(message: ChatMessage, at: str) -> list[Part]:
    if message.content is None:
        raise InvalidParameter(
            f"{at}.content", f"'{at}.content' is required for role '{message.role}'."
        )
    return list(_content_parts(message.content, f"{at}.content"))


def _content_parts(content: str | list[ContentPart], at: str) -> Iterator[Part]:
    if isinstance(content, str):
        yield Part(text=content)
        return
    for index, part in enumerate(content):
        yield _part(part, f"{at}[{index}]")


def _part(part: ContentPart, at: str) -> Part:
    match part.type:
        case "text" if part.text is not None:
            return Part(text=part.text)
        case "refusal" if part.refusal is not None:
            return Part(text=part.refusal)
        case "image_url" if part.image_url is not None:
            return Part(inline_data=read_data_url(part.image_url.url, f"{at}.image_url.url"))
        case "file" if part.file is not None:
            return file_part(part.file, f"{at}.file")
        case "text" | "refusal" | "image_url" | "file":
            raise InvalidParameter(
                f"{at}.{part.type}", f"Missing required parameter: '{at}.{part.type}'."
            )
        case "input_audio":
            raise UnsupportedParameter(f"{at}.input_audio")
        case _:
            raise InvalidParameter(f"{at}.type", f"Invalid value for '{at}.type': '{part.type}'.")


def file_part(file: FileInput, at: str) -> Part:
    """Return a part with the file, be it one of the library's or inside the request."""
    if file.file_id is not None:
        found = FILE_ID.fullmatch(file.file_id)
        if found is None:
            raise InvalidParameter(f"{at}.file_id", f"'{file.file_id}' is no id of a file.")
        return Part(file_data=FileData(file_uri=f"files/{found[1]}"))
    if file.file_data is None:
        raise InvalidParameter(at, f"'{at}' needs one of 'file_id' and 'file_data'.")
    if file.file_data.startswith("data:"):
        return Part(inline_data=read_data_url(file.file_data, f"{at}.file_data"))
    guessed, _ = mimetypes.guess_type(file.filename or "")
    mime_type = guessed or "application/pdf"
    return Part(inline_data=Blob(mime_type=mime_type, data=_bytes(file.file_data, at)))


def read_data_url(url: str, at: str) -> Blob:
    """Return the bytes of a data URL; InvalidParameter at any other address."""
    found = DATA_URL.fullmatch(url)
    if found is None:
        raise InvalidParameter(at, f"'{at}': {REMOTE}")
    return Blob(mime_type=found["type"].strip().lower(), data=_bytes(found["data"], at))


def _bytes(text: str, at: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidParameter(at, f"'{at}' is not base64: {error}.") from error


def _answer_parts(message: ChatMessage, at: str, names: dict[str, str]) -> list[Part]:
    parts = [] if message.content is None else _parts(message, at)
    for index, call in enumerate(message.tool_calls or []):
        names[call.id] = call.function.name
        parts.append(call_part(call, f"{at}.tool_calls[{index}]"))
    if not parts:
        raise InvalidParameter(
            f"{at}.content", f"'{at}' needs 'content' or 'tool_calls' for role 'assistant'."
        )
    return parts


def call_part(call: ToolCall, at: str) -> Part:
    """Return a call that the model made earlier."""
    arguments = _object(call.function.arguments or "{}")
    if arguments is None:
        where = f"{at}.function.arguments"
        raise InvalidParameter(where, f"'{where}' is not a JSON object.")
    return Part(function_call=FunctionCall(id=call.id, name=call.function.name, args=arguments))


def _result_part(message: ChatMessage, at: str, names: dict[str, str]) -> Part:
    call_id = message.tool_call_id
    if call_id is None or call_id not in names:
        raise InvalidParameter(
            f"{at}.tool_call_id",
            f"'{at}.tool_call_id' must be the id of a call in 'tool_calls' of an earlier message.",
        )
    text = "\n".join(part.text or "" for part in _parts(message, at))
    return result_part(call_id, names[call_id], text)


def result_part(call_id: str, name: str, text: str) -> Part:
    """Return what a function gave: an object as it is, any other text as the object's `result`."""
    given = _object(text)
    response = {"result": text} if given is None else given
    return Part(function_response=FunctionResponse(id=call_id, name=name, response=response))


def _object(text: str) -> dict[str, Any] | None:
    try:
        value = msgspec.json.decode(text)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
