"""Cached contents: the resource, both as clients send it and as they get it."""

from typing import Any

from toplu.wire.gemini.content import Content
from toplu.wire.gemini.message import Message
from toplu.wire.gemini.tool import Tool


class CachedContentUsage(Message, frozen=True, kw_only=True):
    """The length of the cached contents."""

    total_token_count: int


class CachedContent(Message, frozen=True, kw_only=True):
    """Contents that are kept to be put before requests; what they are is never sent back."""

    name: str | None = None
    model: str | None = None
    display_name: str | None = None
    contents: list[Content] | None = None
    system_instruction: Content | None = None
    tools: list[Tool] | None = None
    tool_config: Any = None
    ttl: str | None = None
    create_time: str | None = None
    update_time: str | None = None
    expire_time: str | None = None
    usage_metadata: CachedContentUsage | None = None


class ListCachedContentsResponse(Message, frozen=True, kw_only=True):
    """A page of caches."""

    cached_contents: list[CachedContent] | None = None
    next_page_token: str | None = None
