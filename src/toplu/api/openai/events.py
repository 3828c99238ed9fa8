"""The two forms of OpenAI's streams: chunks that end with a mark, and events that have names."""

from toplu.api.http.streaming.streamed_answer import Form
from toplu.api.openai.error_responses import body_of, render
from toplu.wire.gemini import message
from toplu.wire.openai.response import ResponseEvent


def _named(event: object) -> bytes:
    """Return the event behind its name; an error has none."""
    name = f"event: {event.type}\n".encode() if isinstance(event, ResponseEvent) else b""
    return name + b"data: " + message.write(event)


CHUNKS = Form(
    content_type="text/event-stream",
    before_first=b"data: ",
    before_next=b"data: ",
    after_each=b"\n\n",
    at_end=b"data: [DONE]\n\n",
    render=render,
    body_of=body_of,
)
NAMED_EVENTS = Form(
    content_type="text/event-stream",
    before_first=b"",
    before_next=b"",
    after_each=b"\n\n",
    at_end=b"",
    render=render,
    body_of=body_of,
    write=_named,
)
