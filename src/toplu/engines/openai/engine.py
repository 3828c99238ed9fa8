"""The client of one server that speaks OpenAI's chat API and answers for one model.

It asks for an answer of some form; whether the answer has it is for the caller to find out.
"""

import json
import re
import secrets
from typing import Any, Self

import msgspec
import structlog
from msgspec.structs import replace

from toplu.engines.calls import Functions
from toplu.engines.chat.messages import with_images_twice
from toplu.engines.chat.reply import Answer, Reply, ReplyParts
from toplu.engines.functions.parser import parse_calls, text_listener
from toplu.engines.generation import BegunNote, Completion, Generation, Listener, Piece
from toplu.engines.http.connection import ServerConnection, lost
from toplu.engines.http.context_overflow import read_overlength
from toplu.engines.http.fault import AnswerLost
from toplu.engines.http.load import LoadReader, ServerLoad
from toplu.engines.openai.cached_tokens import CachedTokens
from toplu.engines.openai.call_list import read_list
from toplu.engines.openai.connection import NamedModel, connect_openai
from toplu.engines.openai.form_in_prompt import read_unheld
from toplu.engines.openai.reply import read_stream, read_whole
from toplu.engines.openai.request_body import (
    SEED_MAX,
    write_body,
    write_conversation,
    write_stream_options,
)
from toplu.engines.openai.request_marks import RequestMarks
from toplu.engines.openai.token_counting import TokenCounter
from toplu.engines.openai.ways import Calls, Form, Way, find_ways, usual_calls
from toplu.engines.prompt import Prompt, Turn
from toplu.errors import InvalidArgument, TopluError
from toplu.settings.remote import RemoteSettings, Secret, ServerSettings

log = structlog.get_logger()

# How servers say that no request with tools will do, whichever it is: vLLM, Ollama, llama.cpp.
TAKES_NO_TOOLS = re.compile(
    r"tool-call-parser|--jinja|not support (?:tool|function)s?\b"
    r"|\b(?:tool|function)s?(?: use| calls?| calling)? (?:is|are) not (?:supported|enabled)",
    re.IGNORECASE,
)


class TooLong(InvalidArgument):
    """The prompt does not fit, in whichever way it is asked."""


class Forwarder:
    """Passes the pieces of an answer on, and notes whether it may still begin again."""

    def __init__(self, listener: Listener | None) -> None:
        self.may_begin_again = True
        self._listener = listener
        keeps_nothing = listener is None or isinstance(listener, BegunNote)
        self.listener = listener if keeps_nothing else self._forward

    async def _forward(self, piece: Piece) -> None:
        self.may_begin_again = False
        assert self._listener is not None, "without a listener there is nothing to forward"
        await self._listener(piece)


class OpenaiEngine:
    """One server; the names of its API begin where its url ends, with `/v1`."""

    def __init__(
        self, connection: ServerConnection, server: ServerSettings, remote: RemoteSettings
    ) -> None:
        self._connection = connection
        self._remote = remote
        self.model = NamedModel(connection, server.model)
        self.counter = TokenCounter(connection)
        self.figures = LoadReader(connection)
        self.marks = RequestMarks(connection.name)
        self._cached_tokens = CachedTokens(connection.name)
        self._takes_tools = True  # as far as is known

    @classmethod
    def connect(
        cls,
        server: ServerSettings,
        remote: RemoteSettings,
        request_seconds_max: float,
        key: Secret | None = None,
    ) -> Self:
        """Return the client; see `connect_openai`."""
        connection = connect_openai(server, remote, request_seconds_max, key)
        return cls(connection, server, remote)

    @property
    def lanes(self) -> int:
        return self._remote.requests_max

    async def check(self) -> None:
        """Return if the server is fit to be asked, or raise ServerFault."""
        await self.model.check()

    async def load(self) -> ServerLoad | None:
        """Return the server's own figures, None if it has none."""
        load = await self.figures.read()
        if load is not None:
            self._cached_tokens.compare(load)
        return load

    async def generate(
        self,
        prompt: Prompt,
        lane: int,  # noqa: ARG002  # its prefixes are for all
        listener: Listener | None = None,
    ) -> Generation:
        seed = prompt.sampling.seed
        first_seed = secrets.randbelow(SEED_MAX) if seed is None else seed
        async with self._connection.deadline():
            replies = [
                await self._answer(prompt, index, first_seed + index, listener)
                for index in range(prompt.candidate_count)
            ]
        usage = replies[0].usage
        return Generation(
            completions=tuple(reply.completion for reply in replies),
            prompt_tokens=usage.prompt_tokens,
            cached_tokens=usage.cached_tokens,
        )

    async def count_tokens(
        self, turns: tuple[Turn, ...], functions: Functions | None = None
    ) -> int:
        conversation = write_conversation(turns, functions, self._calls)
        async with self._connection.deadline():
            return await self.counter.count(await self.model.name(), conversation)

    async def count_prefix(self, prompt: Prompt) -> int:
        conversation = write_conversation(prompt.turns, prompt.functions, self._calls)
        asked = conversation | {"add_generation_prompt": False}
        async with self._connection.deadline():
            return await self.counter.count(await self.model.name(), asked)

    async def keep_prefix(self, prompt: Prompt, lane: int) -> None:
        pass  # a server keeps what it computed as it likes

    async def forget_prefix(self, prefix_id: str) -> None:
        pass

    async def count_image_tokens(self, turns: tuple[Turn, ...]) -> int:
        # Servers do not count images apart. Where each stands twice, each adds its own tokens.
        twice = await self.count_tokens(with_images_twice(turns))
        return twice - await self.count_tokens(turns)

    async def close(self) -> None:
        await self._connection.client.close()

    async def retire(self) -> None:
        """Close as soon as no call is in flight."""
        await self._connection.client.retire()

    @property
    def _calls(self) -> Calls:
        return usual_calls(self._remote, takes_tools=self._takes_tools)

    async def _answer(
        self, prompt: Prompt, index: int, seed: int, listener: Listener | None
    ) -> Reply:
        """Return a candidate, asked for in the best way that the server takes."""
        refusal: InvalidArgument | AnswerLost | None = None
        forwarder = Forwarder(listener)
        for way in find_ways(prompt, self._remote, takes_tools=self._takes_tools):
            try:
                reply = await self.in_way(way, prompt, index, seed, forwarder.listener)
            except InvalidArgument as error:
                refusal = refusal or error
                is_too_long = isinstance(error, TooLong) and not way.form_in_prompt
                if is_too_long or not forwarder.may_begin_again:
                    break
            except AnswerLost as fault:
                # Some backends break down over a form.
                if not (way.is_held and forwarder.may_begin_again) or fault.overloaded:
                    raise
                refusal = refusal or fault
            else:
                if way.is_held and _is_empty(reply.completion):
                    # So do other backends, without a word.
                    refusal = refusal or lost("the server leaves an answer with a form empty")
                    continue
                if refusal is not None:
                    self._note(refusal)
                return reply
        assert refusal is not None, "there is one way at least"
        raise refusal

    def _note(self, refusal: TopluError) -> None:
        """Keep in mind that the server takes no tools, if that is how it answered."""
        if self._takes_tools and TAKES_NO_TOOLS.search(refusal.message):
            self._takes_tools = False
            log.info("server_takes_no_tools", server=self._connection.name, reason=refusal.message)

    async def in_way(
        self, way: Way, prompt: Prompt, index: int, seed: int, listener: Listener | None
    ) -> Reply:
        """Return a candidate that is asked for in this way."""
        structure = prompt.structure
        # A candidate in quotes that are none of it comes without them.
        is_quoted = structure is not None and structure.bare and way.form is not Form.GRAMMAR
        if way.is_read_late or is_quoted:
            listener = None
        reply = await self._complete(way, prompt, index, seed, listener)
        completion = reply.completion
        if way.form_in_prompt:
            completion = read_unheld(completion, structure)
        elif is_quoted:
            completion = _unquoted(completion)
        return msgspec.structs.replace(reply, completion=completion)

    async def _complete(
        self, way: Way, prompt: Prompt, index: int, seed: int, listener: Listener | None
    ) -> Reply:
        parts = ReplyParts(index=index, top_logprobs=prompt.top_logprobs or 0)
        body = write_body(prompt, await self.model.name(), seed, self._remote, way)
        try:
            return await self._called(way, prompt, body, parts, listener)
        except InvalidArgument as refusal:
            overlength = read_overlength(refusal.message)
            if overlength is None:
                raise
            # Some servers refuse an answer that might not fit, where others end it there.
            if not 0 < overlength.room < body["max_tokens"]:
                raise TooLong(overlength.message) from refusal
            body |= {"max_tokens": overlength.room}
            return await self._called(way, prompt, body, parts, listener)

    async def _called(
        self,
        way: Way,
        prompt: Prompt,
        body: dict[str, Any],
        parts: ReplyParts,
        listener: Listener | None,
    ) -> Reply:
        """Return the reply with its calls, in whichever form the server makes them."""
        functions = prompt.functions
        marks = self.marks.write(prompt, self.figures.software)
        heard = text_listener(listener, functions)
        reply = await self.marks.ask(lambda marked: self._ask(body | marked, parts, heard), marks)
        self._cached_tokens.note(reply.usage)
        completion = reply.completion
        if functions is None:
            return reply
        if way.calls is Calls.LISTED:
            completion = read_list(completion)
        elif parts.calls:
            completion = parts.calls.completed(completion, functions)
        else:
            # Also of a server that takes tools and leaves the calls in the text.
            completion = parse_calls(completion, functions)
        return msgspec.structs.replace(reply, completion=completion)

    async def _ask(
        self, body: dict[str, Any], parts: ReplyParts, listener: Listener | None
    ) -> Reply:
        path = "/chat/completions"
        if listener is None and not self._remote.always_stream:
            return read_whole(await self._connection.ask(path, body, Answer), parts)
        body |= write_stream_options(self._remote)
        async with self._connection.answer_to(path, body) as response:
            return await read_stream(self._connection.client.lines(response), parts, listener)


def _is_empty(completion: Completion) -> bool:
    """Return whether an answer ends where it begins."""
    begun = completion.text or completion.thoughts or completion.calls or completion.broken_call
    return not (begun or completion.hit_token_limit)


def _unquoted(completion: Completion) -> Completion:
    try:
        text = json.loads(completion.text)
    except ValueError:
        return completion
    # Without the quotes the tokens are others.
    return replace(completion, text=text, steps=()) if isinstance(text, str) else completion
