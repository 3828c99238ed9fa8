"""A body of OpenAI's API as the core understands it."""

import msgspec

from toplu.wire.gemini.content import GenerateContentRequest
from toplu.wire.gemini.embedding import EmbedContentRequest
from toplu.wire.openai.message import FreeForm


class AnswerForm(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The part of a request that shapes its answer; it goes with each line of a batch."""

    model: str  # as the client spelled it
    one_call: bool = False  # at most one function is called (`parallel_tool_calls: false`)
    as_base64: bool = False  # vectors
    include_usage: bool = False  # in a stream
    service_tier: str = "default"  # that the call has, as the answer says it
    echo: FreeForm | None = None  # fields that the answer repeats
    part: int = 0  # of several requests that one body stands for, from 0
    parts: int = 1


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """The requests that a body stands for: one, or one for each text to embed."""

    form: AnswerForm
    requests: tuple[GenerateContentRequest, ...] | tuple[EmbedContentRequest, ...]
    streams: bool = False
