"""Tools that a request may name; one typed `Any` is known and refused by name."""

from enum import StrEnum
from typing import Any

from toplu.wire.gemini.message import FreeForm, Message
from toplu.wire.gemini.schema import Schema


class Behavior(StrEnum):
    """Whether the model waits for the function."""

    UNSPECIFIED = "UNSPECIFIED"
    BLOCKING = "BLOCKING"
    NON_BLOCKING = "NON_BLOCKING"


class FunctionDeclaration(Message, frozen=True, kw_only=True):
    """A function that the client can call for the model."""

    name: str | None = None
    description: str | None = None
    behavior: Behavior | None = None
    parameters: Schema | None = None
    parameters_json_schema: Any = None
    response: Schema | None = None
    response_json_schema: Any = None


class FunctionCall(Message, frozen=True, kw_only=True):
    """A call that the model asks for; the names in `args` are the declaration's own."""

    id: str | None = None
    name: str | None = None
    args: FreeForm | None = None


class Scheduling(StrEnum):
    """The time at which a live model gets a result."""

    SCHEDULING_UNSPECIFIED = "SCHEDULING_UNSPECIFIED"
    SILENT = "SILENT"
    WHEN_IDLE = "WHEN_IDLE"
    INTERRUPT = "INTERRUPT"


class FunctionResponse(Message, frozen=True, kw_only=True):
    """The result of a call; the names in `response` are the client's own."""

    id: str | None = None
    name: str | None = None
    response: FreeForm | None = None
    parts: Any = None
    will_continue: bool | None = None
    scheduling: Scheduling | None = None


class Mode(StrEnum):
    """Whether the model may call, has to, or must not."""

    MODE_UNSPECIFIED = "MODE_UNSPECIFIED"
    AUTO = "AUTO"
    ANY = "ANY"
    NONE = "NONE"
    VALIDATED = "VALIDATED"


class FunctionCallingConfig(Message, frozen=True, kw_only=True):
    """The calls that an answer may have."""

    mode: Mode | None = None
    allowed_function_names: list[str] | None = None


class ToolConfig(Message, frozen=True, kw_only=True):
    """The use of a request's tools."""

    function_calling_config: FunctionCallingConfig | None = None
    retrieval_config: Any = None
    include_server_side_tool_invocations: bool | None = None


class GoogleSearch(Message, frozen=True, kw_only=True):
    """Ground the answer in a search."""

    time_range_filter: Any = None
    search_types: Any = None
    exclude_domains: list[str] | None = None
    blocking_confidence: str | None = None


class GoogleSearchRetrieval(Message, frozen=True, kw_only=True):
    """The same by its first name; here the search is always made, whatever the threshold."""

    dynamic_retrieval_config: FreeForm | None = None


class Tool(Message, frozen=True, kw_only=True):
    """The tools that the model may use; each field that is set is one."""

    function_declarations: list[FunctionDeclaration] | None = None
    google_search: GoogleSearch | None = None
    google_search_retrieval: GoogleSearchRetrieval | None = None
    code_execution: Any = None
    url_context: Any = None
    file_search: Any = None
    google_maps: Any = None
    computer_use: Any = None
    mcp_servers: Any = None

    @property
    def only_declares(self) -> bool:
        """Whether it is functions alone, which give no answer of their own."""
        others = (name for name in self.__struct_fields__ if name != "function_declarations")
        return all(getattr(self, name) is None for name in others)

    @property
    def searches(self) -> bool:
        """Whether the tool is a search, under either name."""
        return self.google_search is not None or self.google_search_retrieval is not None
