"""The endpoints that ask a model, for calls and for lines of batches alike.

body ── read ──▶ Asked: requests of the core ── answered ──▶ responses ── write ──▶ body
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from toplu.api.http.streaming.streamed_answer import Form
from toplu.api.openai.events import CHUNKS, NAMED_EVENTS
from toplu.api.openai.translation.asked import AnswerForm, Asked
from toplu.api.openai.translation.chat_answer import chat_completion
from toplu.api.openai.translation.chat_chunks import ChatChunks
from toplu.api.openai.translation.chat_request import read_chat
from toplu.api.openai.translation.completions import (
    CompletionChunks,
    completion,
    read_completion,
)
from toplu.api.openai.translation.embeddings import embeddings, read_embeddings
from toplu.api.openai.translation.responses.answer import response_object
from toplu.api.openai.translation.responses.events import ResponseEvents
from toplu.api.openai.translation.responses.request import read_response
from toplu.job import Method
from toplu.wire.openai.message import FreeForm, Message


class Chunks(Protocol):
    """Turns the chunks of one streamed answer."""

    def turn(self, chunk: FreeForm) -> Iterator[Message]:
        """Yield what a chunk of the core's becomes."""
        ...

    def end(self) -> Iterator[Message]:
        """Yield what follows the last one."""
        ...


# The responses to the requests of one body, its form, and when it was answered.
Write = Callable[[Sequence[FreeForm], AnswerForm, int], Message]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One of them; `path` stands behind `/v1`, as lines of batches name it with that."""

    path: str
    method: Method
    read: Callable[[bytes | FreeForm], Asked]
    write: Write
    chunks: Callable[..., Chunks] | None = None  # None: it has no streams
    stream_form: Form = CHUNKS

    @property
    def url(self) -> str:
        """Return its name in lines of batches."""
        return f"/v1{self.path}"


def _of_one(write: Callable[..., Any]) -> Write:
    def write_one(responses: Sequence[FreeForm], form: AnswerForm, created: int) -> Message:
        (response,) = responses
        written: Message = write(response, form, created=created)
        return written

    return write_one


def _write_embeddings(responses: Sequence[FreeForm], form: AnswerForm, _created: int) -> Message:
    return embeddings(responses, form)


ENDPOINTS = (
    Endpoint(
        path="/chat/completions",
        method=Method.GENERATE,
        read=read_chat,
        write=_of_one(chat_completion),
        chunks=ChatChunks,
    ),
    Endpoint(
        path="/completions",
        method=Method.GENERATE,
        read=read_completion,
        write=_of_one(completion),
        chunks=CompletionChunks,
    ),
    Endpoint(
        path="/responses",
        method=Method.GENERATE,
        read=read_response,
        write=_of_one(response_object),
        chunks=ResponseEvents,
        stream_form=NAMED_EVENTS,
    ),
    Endpoint(
        path="/embeddings", method=Method.EMBED, read=read_embeddings, write=_write_embeddings
    ),
)
BY_URL = {endpoint.url: endpoint for endpoint in ENDPOINTS}
