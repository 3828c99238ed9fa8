"""Chunks of a streamed GenerateContent to chunks of a chat completion."""

from collections.abc import Iterator

from toplu.api.openai.translation.asked import AnswerForm
from toplu.api.openai.translation.chat_answer import (
    calls_of,
    logprobs_of,
    parts_of,
    reason_of,
    text_of,
    usage_of,
)
from toplu.wire.openai.chat import ChatChunk, ChunkChoice
from toplu.wire.openai.message import UNSET, FreeForm


class ChatChunks:
    """Turns the chunks of one answer, in their order; each answer has one of its own."""

    def __init__(self, form: AnswerForm, *, created: int) -> None:
        self._form = form
        self._created = created
        self._calls: dict[int, int] = {}  # that each candidate has made
        self._begun: set[int] = set()
        self._last: FreeForm = {}

    def turn(self, chunk: FreeForm) -> Iterator[ChatChunk]:
        """Yield the chunks that this one becomes; one without anything new becomes none."""
        self._last = chunk
        choices = [
            choice
            for place, candidate in enumerate(chunk.get("candidates", []))
            for choice in self._choices(candidate.get("index", place), candidate)
        ]
        if choices:
            yield self._chunk(choices)

    def end(self) -> Iterator[ChatChunk]:
        """Yield what follows the answer: its usage, if that was asked for."""
        if self._form.include_usage:
            yield self._chunk([], is_usage=True)

    def _choices(self, index: int, candidate: FreeForm) -> Iterator[ChunkChoice]:
        parts = parts_of(candidate)
        delta: FreeForm = {}
        if index not in self._begun:
            self._begun.add(index)
            delta |= {"role": "assistant", "content": ""}
        if text := text_of(parts):
            delta["content"] = text
        if calls := self._new_calls(index, parts):
            delta["tool_calls"] = calls
        ends = candidate.get("finishReason") is not None
        if delta or ends:
            yield ChunkChoice(
                index=index,
                delta=delta,
                logprobs=logprobs_of(candidate),
                finish_reason=reason_of(candidate, has_calls=bool(self._calls.get(index)))
                if ends
                else None,
                finish_message=candidate.get("finishMessage") or UNSET,
            )

    def _new_calls(self, index: int, parts: list[FreeForm]) -> list[FreeForm]:
        made = self._calls.get(index, 0)
        calls = calls_of(parts, self._form)
        if self._form.one_call and made:
            calls = []
        self._calls[index] = made + len(calls)
        return [
            {
                "index": made + place,
                "id": call.id,
                "type": "function",
                "function": {"name": call.function.name, "arguments": call.function.arguments},
            }
            for place, call in enumerate(calls)
        ]

    def _chunk(self, choices: list[ChunkChoice], *, is_usage: bool = False) -> ChatChunk:
        usage = usage_of(self._last) if is_usage else None
        return ChatChunk(
            id=f"chatcmpl-{self._last.get('responseId', '')}",
            created=self._created,
            model=self._form.model,
            choices=choices,
            service_tier=self._form.service_tier,
            usage=usage if self._form.include_usage else UNSET,
        )
