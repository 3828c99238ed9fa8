"""Failures in OpenAI's words: the status, and the error in its form."""

import re
from dataclasses import dataclass

from toplu.errors import Code, RequestError, TopluError
from toplu.wire.openai.error import ErrorBody, ErrorObject
from toplu.wire.openai.message import InvalidParameter

OK = 200
INVALID_KEY = "invalid_api_key"
# google.rpc code: status, type, and code of the error.
KINDS: dict[int, tuple[int, str, str | None]] = {
    Code.INVALID_ARGUMENT: (400, "invalid_request_error", None),
    Code.FAILED_PRECONDITION: (400, "invalid_request_error", None),
    Code.OUT_OF_RANGE: (416, "invalid_request_error", None),
    Code.UNIMPLEMENTED: (400, "invalid_request_error", "unsupported_parameter"),
    Code.UNAUTHENTICATED: (401, "invalid_request_error", INVALID_KEY),
    Code.PERMISSION_DENIED: (403, "invalid_request_error", None),
    Code.NOT_FOUND: (404, "invalid_request_error", None),
    Code.ALREADY_EXISTS: (409, "invalid_request_error", None),
    Code.ABORTED: (409, "invalid_request_error", None),
    Code.RESOURCE_EXHAUSTED: (429, "rate_limit_error", "rate_limit_exceeded"),
    Code.CANCELLED: (499, "invalid_request_error", "cancelled"),
    Code.UNAVAILABLE: (503, "server_error", "unavailable"),
    Code.DEADLINE_EXCEEDED: (504, "server_error", "timeout"),
}
INTERNAL = (500, "server_error", None)

# Fields of the core's request, as this API names them.
PARAMS = {
    "contents": "messages",
    "system_instruction": "messages",
    "candidate_count": "n",
    "stop_sequences": "stop",
    "max_output_tokens": "max_completion_tokens",
    "response_logprobs": "logprobs",
    "logprobs": "top_logprobs",
    "response_json_schema": "response_format.json_schema.schema",
    "response_schema": "response_format.json_schema.schema",
    "function_declarations": "tools",
    "tools": "tools",
    "tool_config": "tool_choice",
    "thinking_config": "reasoning_effort",
    "output_dimensionality": "dimensions",
    "content": "input",
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "seed": "seed",
    "presence_penalty": "presence_penalty",
    "frequency_penalty": "frequency_penalty",
}
_FIELD = re.compile(r"^\* \w+Request\.(?P<field>[\w.\[\]]+): ")


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed call, or a failed line of a batch."""

    status: int
    body: ErrorBody


def failure_of(error: TopluError) -> Failure:
    """Return the failure that a failed call is."""
    if isinstance(error, InvalidParameter):
        kind = KINDS[Code.INVALID_ARGUMENT]
        fault = ErrorObject(
            message=error.message, type=kind[1], param=error.param, code=error.reason
        )
        return Failure(error.http_status, ErrorBody(error=fault))
    status, body = _failure(int(error.code), error.message)
    is_told_apart = error.http_status in (408, 413, 415)
    return Failure(error.http_status if is_told_apart else status, body)


def failure_of_request(error: RequestError) -> Failure:
    """Return the failure of one line of a batch."""
    return Failure(*_failure(error.code, error.message))


def _failure(code: int, message: str) -> tuple[int, ErrorBody]:
    status, kind, word = KINDS.get(code, INTERNAL)
    found = _FIELD.match(message)
    param = None
    if found is not None:
        param = next(
            (
                PARAMS[name]
                for name in reversed(re.split(r"[.\[]", found["field"]))
                if name in PARAMS
            ),
            None,
        )
        message = message.removeprefix("* ").strip()
    return status, ErrorBody(error=ErrorObject(message=message, type=kind, param=param, code=word))
