"""Tools that a request may name; one typed `Any` is known and refused by name."""

from typing import Any

from toplu.gemini.message import FreeForm, Message


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
    """What the model may use; each field that is set is a tool."""

    function_declarations: Any = None
    google_search: GoogleSearch | None = None
    google_search_retrieval: GoogleSearchRetrieval | None = None
    code_execution: Any = None
    url_context: Any = None
    file_search: Any = None
    google_maps: Any = None
    computer_use: Any = None
    mcp_servers: Any = None

    @property
    def searches(self) -> bool:
        """Whether the tool is a search, under either name."""
        return self.google_search is not None or self.google_search_retrieval is not None
