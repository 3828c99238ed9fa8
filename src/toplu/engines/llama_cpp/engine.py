"""The client of a llama.cpp HTTP server that runs one model, lane by lane.

A lane is a slot of the server: a request pinned to it finds the prefix that the last request
left there, and waits in the server while another one holds it.
"""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from toplu.engines.calls import Functions
from toplu.engines.chat.messages import with_images_twice, write_messages
from toplu.engines.chat.reply import Reply
from toplu.engines.engine import EngineDied
from toplu.engines.functions.parser import parse_calls, text_listener
from toplu.engines.functions.text_format import write_turns
from toplu.engines.generation import Generation, Listener, Piece
from toplu.engines.liveness import Liveness
from toplu.engines.llama_cpp.child import connections_max
from toplu.engines.llama_cpp.closing import Closer, closable, with_room
from toplu.engines.llama_cpp.control_tokens import ControlTokens
from toplu.engines.llama_cpp.conversations import Conversations
from toplu.engines.llama_cpp.lane_order import LaneOrder
from toplu.engines.llama_cpp.prefix_cache import PrefixCache
from toplu.engines.llama_cpp.reply import (
    StateMoved,
    TokenCount,
    TokenList,
    read_refusal,
    read_reply,
)
from toplu.engines.llama_cpp.request_body import chat_body, prefix_body
from toplu.engines.llama_cpp.saved_states import SavedStates
from toplu.engines.prompt import Prompt, Turn
from toplu.errors import DeadlineExceeded, TopluError

HTTP_OK = 200
# llama.cpp reads this seed as a wish for a random one.
SEED_RANDOM = 2**32 - 1
SILENCE_SECONDS_MAX = 60.0


class LlamaCppEngine:
    """One loaded model behind llama.cpp's HTTP server."""

    def __init__(
        self,
        *,
        address: str,
        api_key: str,
        lanes: int,
        request_seconds_max: float,
        silence_seconds_max: float = SILENCE_SECONDS_MAX,
        control_tokens: Sequence[str] = (),
        end_tokens: Sequence[int] = (),
        prefix_folder: Path | None = None,
        prefix_bytes_max: int = 0,
        conversation_bytes_max: int = 0,
        reproducible: bool = False,
    ) -> None:
        self.address = address
        self.api_key = api_key
        self._lanes = lanes
        self._reproducible = reproducible  # nothing of a request before has a part in an answer
        self._control_tokens = ControlTokens(control_tokens)
        self._end_tokens = end_tokens
        self._order = LaneOrder(lanes)
        states = SavedStates(self, folder=prefix_folder, bytes_max=prefix_bytes_max)
        self._prefixes = PrefixCache(self, states=states, lanes=lanes)
        self._conversations = Conversations(
            states=SavedStates(self, folder=prefix_folder, bytes_max=conversation_bytes_max),
            order=self._order,
            lanes=lanes,
        )
        self._request_seconds_max = request_seconds_max
        self._pulse = Liveness(
            silence_seconds_max=silence_seconds_max, now=asyncio.get_running_loop().time
        )
        self._session = _session_to(address, api_key, lanes)

    @property
    def lanes(self) -> int:
        return self._lanes

    async def generate(
        self, prompt: Prompt, lane: int, listener: Listener | None = None
    ) -> Generation:
        assert 0 <= lane < self._lanes, f"lane {lane} of {self._lanes}"
        replies: list[Reply] = []
        prompt = await with_room(prompt, self._count_text)
        # The request before it on the lane may take as long as any.
        async with (
            self._deadline(2 * self._request_seconds_max) as restart_deadline,
            self._order.next_on(lane) as let_next,
        ):
            await self._conversations.bring(prompt, lane)
            await self._prefixes.bring(prompt, lane)
            for index, seed in enumerate(self._seeds(prompt)):
                body = chat_body(
                    prompt, lane, seed, self._end_tokens, cache_prompt=not self._reproducible
                )
                is_last = index + 1 == prompt.candidate_count

                def on_event(is_last: bool = is_last) -> None:
                    self._pulse.beat()
                    restart_deadline()
                    if is_last:
                        let_next()

                read = partial(
                    read_reply,
                    on_event=on_event,
                    listener=self._closing(prompt, self._heard(prompt, listener)),
                    index=index,
                    top_logprobs=prompt.top_logprobs or 0,
                )
                replies.append(await self._complete_chat(body, read))
        usage = replies[0].usage
        return Generation(
            completions=tuple(parse_calls(reply.completion, prompt.functions) for reply in replies),
            prompt_tokens=usage.prompt_tokens,
            cached_tokens=usage.cached_tokens,
        )

    def _seeds(self, prompt: Prompt) -> list[int]:
        """Return a seed for each candidate."""
        first = prompt.sampling.seed
        if first is None:
            first = 0 if self._reproducible else secrets.randbelow(SEED_RANDOM)
        return [(first + index) % SEED_RANDOM for index in range(prompt.candidate_count)]

    async def count_tokens(
        self, turns: tuple[Turn, ...], functions: Functions | None = None
    ) -> int:
        return await self._count({"messages": write_messages(write_turns(turns, functions))})

    async def count_prefix(self, prompt: Prompt) -> int:
        return await self._count(prefix_body(prompt))

    async def keep_prefix(self, prompt: Prompt, lane: int) -> None:
        async with self._deadline(2 * self._request_seconds_max), self._order.next_on(lane):
            await self._conversations.bring(prompt, lane)
            await self._prefixes.bring(prompt, lane)

    async def forget_prefix(self, prefix_id: str) -> None:
        await self._prefixes.forget(prefix_id)

    async def count_image_tokens(self, turns: tuple[Turn, ...]) -> int:
        # llama.cpp does not count images apart. Where each stands twice, each adds its own tokens.
        twice = await self.count_tokens(with_images_twice(turns))
        return twice - await self.count_tokens(turns)

    async def wait_until_gone(self) -> None:
        """Return when the engine has been silent for too long, though it was asked."""
        await self._pulse.wait_until_gone(self._check)

    async def close(self) -> None:
        await self._session.close()

    async def _check(self) -> None:
        # One that is dead or closed is not silent: the watcher of the process learns of it.
        with contextlib.suppress(TopluError):
            async with self._answer_to("/health") as response:
                await response.read()

    async def _complete_chat(
        self, body: dict[str, Any], read: Callable[[AsyncIterable[bytes]], Awaitable[Reply]]
    ) -> Reply:
        # Streamed, because only a failing write makes the server stop for a client that is
        # gone, and with reports of progress, because the first one means that the lane is ours.
        body |= {
            "stream": True,
            "stream_options": {"include_usage": True},
            "return_progress": True,
        }
        with self._pulse.asked():
            async with self._answer_to("/v1/chat/completions", body) as response:
                return await read(response.content)

    async def _count(self, body: dict[str, Any]) -> int:
        path = "/v1/chat/completions/input_tokens"
        async with (
            self._deadline(self._request_seconds_max),
            self._answer_to(path, body) as response,
        ):
            return msgspec.json.decode(await response.read(), type=TokenCount).input_tokens

    def _heard(self, prompt: Prompt, listener: Listener | None) -> Listener | None:
        return text_listener(self._unhurried(listener), prompt.functions)

    def _closing(self, prompt: Prompt, listener: Listener | None) -> Listener | None:
        """Return a listener that ends the candidate before its tokens do, if it has a form."""
        structure = closable(prompt)
        if structure is None:
            return listener
        return Closer(structure, prompt.sampling.output_tokens_max, self._count_text, listener)

    async def _count_text(self, text: str) -> int:
        body = {"content": text, "add_special": False}
        async with self._answer_to("/tokenize", body) as response:
            return len(msgspec.json.decode(await response.read(), type=TokenList).tokens)

    async def read_prefix(self, prompt: Prompt, lane: int) -> None:
        """Leave the beginning of the prompt on the lane, and nothing else."""
        body = prefix_body(prompt) | {"id_slot": lane, "cache_prompt": True, "max_tokens": 0}
        await self._complete_chat(body, partial(read_reply, on_event=self._pulse.beat))

    async def move_state(self, action: str, file_name: str, lane: int) -> StateMoved:
        """Save what the lane holds to a file of the engine, or restore it from there."""
        body = {"filename": file_name}
        async with self._answer_to(f"/slots/{lane}?action={action}", body) as response:
            return msgspec.json.decode(await response.read(), type=StateMoved)

    def _unhurried(self, listener: Listener | None) -> Listener | None:
        """Return the listener; the engine is not silent for the time that it takes."""
        if listener is None:
            return None

        async def hear(piece: Piece) -> None:
            with self._pulse.busy_elsewhere():
                await listener(piece)

        return hear

    @asynccontextmanager
    async def _answer_to(
        self, path: str, body: dict[str, Any] | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Yield an answer, to a POST of the body or to a GET, that is OK.

        Leaving early closes the connection and frees the slot.
        """
        if self._session.closed:
            raise EngineDied("The engine is closed.")
        if body is not None and (messages := body.get("messages")) is not None:
            body |= {"messages": self._control_tokens.break_in(messages)}
        try:
            data = None if body is None else msgspec.json.encode(body)
            method = "GET" if body is None else "POST"
            async with self._session.request(method, path, data=data) as response:
                if response.status != HTTP_OK:
                    raise read_refusal(response.status, await response.read())
                yield response
        except (aiohttp.ClientError, OSError) as error:
            raise EngineDied(f"llama.cpp went away: {type(error).__name__}: {error}") from error

    @asynccontextmanager
    async def _deadline(self, seconds: float) -> AsyncIterator[Callable[[], None]]:
        """Bound the body; what is yielded starts the time that one request may take, once."""
        loop = asyncio.get_running_loop()
        restarted = False

        def restart() -> None:
            nonlocal restarted
            if not restarted:
                deadline.reschedule(loop.time() + self._request_seconds_max)
                restarted = True

        try:
            async with asyncio.timeout(seconds) as deadline:
                yield restart
        except TimeoutError as error:
            raise DeadlineExceeded(
                f"The model did not answer within {self._request_seconds_max:g} seconds."
            ) from error


def _session_to(address: str, api_key: str, lanes: int) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        base_url=address,
        headers={"Authorization": f"Bearer {api_key}", "Content-Type": "application/json"},
        # The server closes idle connections when it likes. A request sent into one that is
        # being closed looks like a dead engine, so each request has a connection of its own.
        connector=aiohttp.TCPConnector(limit=connections_max(lanes), force_close=True),
        timeout=aiohttp.ClientTimeout(total=None),
        trust_env=False,
    )
