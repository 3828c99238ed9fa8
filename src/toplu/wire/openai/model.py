"""Models that can be asked."""

from typing import Literal

from toplu.wire.openai.message import Message


class Model(Message, frozen=True, kw_only=True):
    """A name that calls may use."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str


class Models(Message, frozen=True, kw_only=True):
    """All of them: this list has no pages."""

    object: Literal["list"] = "list"
    data: list[Model]
