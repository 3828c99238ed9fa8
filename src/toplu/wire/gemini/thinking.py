"""Thinking: how much a model may think before it answers, and whether its thoughts are returned."""

from enum import StrEnum
from typing import Annotated

import msgspec

from toplu.wire.gemini.message import Message


class ThinkingLevel(StrEnum):
    """The amount of thinking, in words."""

    THINKING_LEVEL_UNSPECIFIED = "THINKING_LEVEL_UNSPECIFIED"
    MINIMAL = "MINIMAL"
    LOW = "LOW"
    MEDIUM = "MEDIUM"
    HIGH = "HIGH"
    XHIGH = "XHIGH"


class ThinkingConfig(Message, frozen=True, kw_only=True):
    """At most one of the budget and the level is set."""

    include_thoughts: bool | None = None
    # In tokens; 0: none, -1: as the model likes.
    thinking_budget: Annotated[int, msgspec.Meta(ge=-(2**31), lt=2**31)] | None = None
    thinking_level: ThinkingLevel | None = None
