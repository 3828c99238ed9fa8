"""Chunks of a streamed GenerateContent to the events of a response.

created, in_progress ─┬─▶ item added ─▶ part added ─▶ text delta … ─▶ text, part, item done
                      └─▶ item added ─▶ arguments delta, done ─▶ item done
… and behind the last item: completed, or incomplete
"""

from collections.abc import Iterator
from typing import Any

from toplu.api.openai.translation.asked import AnswerForm
from toplu.api.openai.translation.chat_answer import calls_of, parts_of, reason_of, text_of
from toplu.api.openai.translation.responses.answer import (
    REASONS,
    begun,
    call_item,
    message_item,
    text_part,
)
from toplu.wire.openai.message import FreeForm
from toplu.wire.openai.response import ResponseEvent
from toplu.wire.openai.tool import ToolCall


class ResponseEvents:
    """Turns the chunks of one answer, in their order."""

    def __init__(self, form: AnswerForm, *, created: int) -> None:
        self._form = form
        self._created = created
        self._count = 0
        self._id = ""
        self._text: str | None = None  # of the item that is open
        self._output: list[FreeForm] = []  # items that are done
        self._last: FreeForm = {}
        self._calls = 0

    def turn(self, chunk: FreeForm) -> Iterator[ResponseEvent]:
        """Yield the events that a chunk becomes."""
        self._last = chunk
        if not self._count:
            self._id = str(chunk.get("responseId", ""))
            for name in ("created", "in_progress"):
                yield self._event(f"response.{name}", response=self._so_far())
        candidate = (chunk.get("candidates") or [{}])[0]
        parts = parts_of(candidate)
        if text := text_of(parts):
            yield from self._add_text(text)
        calls = [] if self._form.one_call and self._calls else calls_of(parts, self._form)
        for call in calls:
            yield from self._end_text()
            yield from self._add_call(call)

    def end(self) -> Iterator[ResponseEvent]:
        """Yield the ends of what is open, and the whole response."""
        if not self._output and self._text is None:
            yield from self._add_text("")
        yield from self._end_text()
        candidate = (self._last.get("candidates") or [{}])[0]
        reason = REASONS.get(reason_of(candidate, has_calls=bool(self._calls)))
        whole = begun(
            self._id,
            self._form,
            created=self._created,
            output=self._output,
            reason=reason,
            response=self._last,
        )
        yield self._event(f"response.{whole.status}", response=whole)

    def _add_text(self, text: str) -> Iterator[ResponseEvent]:
        place: dict[str, Any] = {"output_index": len(self._output)}
        if self._text is None:
            self._text = ""
            item = message_item(self._id, "", logprobs=[], status="in_progress")
            yield self._event("response.output_item.added", item=item, **place)
            yield self._event(
                "response.content_part.added", part=text_part("", []), **self._in_item()
            )
        self._text += text
        if text:
            yield self._event(
                "response.output_text.delta", delta=text, logprobs=[], **self._in_item()
            )

    def _end_text(self) -> Iterator[ResponseEvent]:
        if self._text is None:
            return
        text, place = self._text, self._in_item()
        yield self._event("response.output_text.done", text=text, logprobs=[], **place)
        yield self._event("response.content_part.done", part=text_part(text, []), **place)
        yield from self._end_item(message_item(self._id, text, logprobs=[]))
        self._text = None

    def _add_call(self, call: ToolCall) -> Iterator[ResponseEvent]:
        index = len(self._output)
        item = call_item(self._id, self._calls, call)
        begun_item = call_item(self._id, self._calls, call, status="in_progress")
        place: dict[str, Any] = {"output_index": index, "item_id": item["id"]}
        arguments = call.function.arguments
        yield self._event("response.output_item.added", output_index=index, item=begun_item)
        yield self._event("response.function_call_arguments.delta", delta=arguments, **place)
        yield self._event(
            "response.function_call_arguments.done",
            arguments=arguments,
            name=call.function.name,
            **place,
        )
        self._calls += 1
        yield from self._end_item(item)

    def _end_item(self, item: FreeForm) -> Iterator[ResponseEvent]:
        yield self._event("response.output_item.done", output_index=len(self._output), item=item)
        self._output.append(item)

    def _in_item(self) -> dict[str, Any]:
        return {
            "item_id": f"msg_{self._id}",
            "output_index": len(self._output),
            "content_index": 0,
        }

    def _so_far(self) -> Any:
        return begun(self._id, self._form, created=self._created, output=[])

    def _event(self, kind: str, **fields: Any) -> ResponseEvent:
        event = ResponseEvent(type=kind, sequence_number=self._count, **fields)
        self._count += 1
        return event
