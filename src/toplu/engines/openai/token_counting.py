"""Counts the tokens of a conversation, in the way that its server knows.

| way                                 | of                      |
|-------------------------------------|-------------------------|
| `/v1/chat/completions/input_tokens` | llama.cpp               |
| `/tokenize`, beside `/v1`           | vLLM                    |
| an answer of one token              | everybody, at its price |
"""

from http import HTTPStatus
from typing import Any, TypeVar

import msgspec

from toplu.engines.chat.reply import Answer
from toplu.engines.http.connection import ServerConnection, lost
from toplu.engines.http.fault import ServerAway
from toplu.errors import InvalidArgument

T = TypeVar("T")

UNKNOWN = (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED)


class UnknownWay(Exception):
    """The server has no such path, or another meaning for it."""


class InputTokens(msgspec.Struct, frozen=True):
    """llama.cpp's answer."""

    input_tokens: int


class Tokenized(msgspec.Struct, frozen=True):
    """vLLM's answer; servers whose `/tokenize` knows no messages have no count."""

    count: int


class TokenCounter:
    """Finds out which way a server knows, and keeps to it."""

    def __init__(self, connection: ServerConnection) -> None:
        self._connection = connection
        self.way = ""  # as the table names it: the one that counted last
        self._ways = {
            "/chat/completions/input_tokens": self._by_llama_cpp,
            "/tokenize": self._by_vllm,
            "an answer of one token": self._by_answer,
        }

    async def count(self, model: str, conversation: dict[str, Any]) -> int:
        """Return the number of tokens of the filled chat template."""
        asked = {"model": model, **conversation}
        *others, last = self._ways
        for way in others:
            try:
                count = await self._ways[way](asked)
            except UnknownWay:
                del self._ways[way]
            except InvalidArgument:
                # It reads this path in another way, or the next way finds the same.
                continue
            else:
                self.way = way
                return count
        self.way = last
        return await self._ways[last](asked)

    async def _by_llama_cpp(self, asked: dict[str, Any]) -> int:
        return (await self._ask("/chat/completions/input_tokens", asked, InputTokens)).input_tokens

    async def _by_vllm(self, asked: dict[str, Any]) -> int:
        body = {"add_generation_prompt": True} | asked
        return (await self._ask("/../tokenize", body, Tokenized)).count

    async def _by_answer(self, asked: dict[str, Any]) -> int:
        body = asked | {"max_tokens": 1}
        answer = await self._connection.ask("/chat/completions", body, Answer)
        if answer.usage is None:
            raise lost("the server does not say how many tokens it read")
        return answer.usage.prompt_tokens

    async def _ask(self, path: str, body: dict[str, Any], answer_type: type[T]) -> T:
        try:
            async with self._connection.answer_to(path, body) as response:
                answer = await self._connection.client.read(response)
        except ServerAway as error:
            if error.status in UNKNOWN:
                raise UnknownWay from error
            raise
        try:
            return msgspec.json.decode(answer, type=answer_type)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise UnknownWay from error
