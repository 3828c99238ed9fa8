"""The one place where methods differ: what a line of a job asks, and whose answer it gets.

    line ── form.read ──▶ request ── answers.answer ──▶ response ── jsonl.write_result ──▶ line

Everything else of a job's life is the same for all of them.
"""

from typing import Any, Protocol, TypeVar

from toplu.gemini.content import GenerateContentRequest
from toplu.gemini.embedding import EmbedContentRequest
from toplu.gemini.jsonl import EMBED_LINES, GENERATE_LINES, LineForm
from toplu.gemini.message import Message
from toplu.job import Method

Request_contra = TypeVar(
    "Request_contra", GenerateContentRequest, EmbedContentRequest, contravariant=True
)


class Answers(Protocol[Request_contra]):
    """What answers the requests of a job: a pool of the fleet."""

    @property
    def window(self) -> int:
        """How many requests keep the engine busy."""
        ...

    async def answer(
        self, request: Request_contra, *, interactive: bool, label: str | None = None
    ) -> Message:
        """Answer the request, or raise the TopluError that is its outcome."""
        ...


FORMS: dict[Method, LineForm[Any]] = {
    Method.GENERATE: GENERATE_LINES,
    Method.EMBED: EMBED_LINES,
}
