"""Functions that a model may call, and its calls."""

from typing import Any, Literal

from toplu.wire.openai.message import Message


class FunctionDefinition(Message, frozen=True, kw_only=True):
    """A function of the client's; arguments are always held to the schema, strict or not."""

    name: str
    description: str | None = None
    parameters: Any = None
    strict: bool | None = None


class Tool(Message, frozen=True, kw_only=True):
    """A tool; functions alone are served."""

    type: str
    function: FunctionDefinition | None = None


class NamedFunction(Message, frozen=True, kw_only=True):
    """A function by its name."""

    name: str


class AllowedTools(Message, frozen=True, kw_only=True):
    """A choice among the tools of a request."""

    mode: Literal["auto", "required"]
    tools: list["ToolChoice"]


class ToolChoice(Message, frozen=True, kw_only=True):
    """A function that has to be called, or those that may be."""

    type: str
    function: NamedFunction | None = None
    allowed_tools: AllowedTools | None = None


class FunctionCall(Message, frozen=True, kw_only=True):
    """A call that the model made; the arguments are JSON in a text."""

    name: str
    arguments: str


class ToolCall(Message, frozen=True, kw_only=True):
    """A call with the id that its result names."""

    id: str
    type: Literal["function"] = "function"
    function: FunctionCall
