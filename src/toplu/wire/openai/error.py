"""A failed call, as clients of OpenAI's API read it."""

from toplu.wire.openai.message import Message


class ErrorObject(Message, frozen=True, kw_only=True):
    """The reason why a call failed; `param` is the parameter that is wrong, if one is."""

    message: str
    type: str
    param: str | None = None
    code: str | None = None


class ErrorBody(Message, frozen=True, kw_only=True):
    """The body of a failed call."""

    error: ErrorObject
