from collections.abc import AsyncIterator

import pytest

from toplu.engines.engine import EngineDied
from toplu.engines.generation import AnswerEnded, Piece
from toplu.engines.llama_cpp.reply import Reply, read_refusal, read_reply
from toplu.errors import Internal, InvalidArgument, TopluError

ROLE = b'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":null}}]}\n'
READING = b'data: {"choices":[],"prompt_progress":{"total":9,"cache":0,"processed":4}}\n'
YES = b'data: {"choices":[{"index":0,"delta":{"content":"Yes"},"finish_reason":null}]}\n'
END = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n'
USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2}}\n'
DONE = b"data: [DONE]\n"
THOUGHT = b'data: {"choices":[{"delta":{"reasoning_content":"Hm"}}],"timings":{"predicted_n":1}}\n'
# Two tokens of thoughts, two that end them, and the first of the text.
ANSWER = b'data: {"choices":[{"delta":{"content":"Yes"}}],"timings":{"predicted_n":5}}\n'
THOUGHT_USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":7}}\n'
TOO_LONG = (
    b'{"error":{"code":400,"message":"m","type":"exceed_context_size_error",'
    b'"n_prompt_tokens":3031,"n_ctx":1024}}'
)
ERROR = b'data: {"error":{"code":500,"message":"broken","type":"server_error"}}\n'


async def reply_of(*lines: bytes) -> tuple[Reply, int]:
    starts = 0

    def count() -> None:
        nonlocal starts
        starts += 1

    async def stream() -> AsyncIterator[bytes]:
        for line in lines:
            yield line

    return await read_reply(stream(), count), starts


async def test_the_pieces_are_put_together():
    reply, starts = await reply_of(b": ping\n", b"\n", ROLE, YES, b"\n", YES, END, USAGE, DONE)
    assert reply.completion.text == "YesYes"
    assert reply.completion.tokens == 2
    assert not reply.completion.hit_token_limit
    assert reply.usage.prompt_tokens == 9
    assert reply.usage.cached_tokens == 0
    assert starts == 5


async def test_each_text_is_sent_as_it_comes():
    told: list[Piece] = []
    yes = Piece(index=3, text="Yes", prompt_tokens=9)

    async def listen(piece: Piece) -> None:
        told.append(piece)

    async def stream() -> AsyncIterator[bytes]:
        for line in (ROLE, READING, YES):
            yield line
        assert told == [yes]
        for line in (YES, END, USAGE, DONE):
            yield line

    reply = await read_reply(stream(), lambda: None, listen, index=3)
    assert told == [yes, yes]
    assert reply.completion.text == "YesYes"


@pytest.mark.parametrize(("is_before", "text"), [(True, "Yes]"), (False, "YesYes]")])
async def test_an_answer_that_its_listener_ends_has_that_end_and_is_counted(is_before, text):
    reading = READING.replace(b'"cache":0', b'"cache":4')
    heard = 0

    async def end(piece: Piece) -> None:
        nonlocal heard
        heard += 1
        if heard == 2:
            assert piece.tokens == 5
            raise AnswerEnded("]", tokens=6, is_before=is_before)

    async def stream() -> AsyncIterator[bytes]:
        for line in (ROLE, reading, YES, ANSWER):
            yield line
        raise AssertionError("the engine is not read on")

    reply = await read_reply(stream(), lambda: None, end)
    completion = reply.completion
    assert (completion.text, completion.tokens) == (text, 6)
    assert completion.shortened
    assert not completion.hit_token_limit
    assert (reply.usage.prompt_tokens, reply.usage.cached_tokens) == (9, 4)


async def test_what_was_written_before_the_text_are_thoughts():
    reply, _ = await reply_of(ROLE, THOUGHT, THOUGHT, ANSWER, END, THOUGHT_USAGE, DONE)
    completion = reply.completion
    assert (completion.thoughts, completion.thought_tokens) == ("HmHm", 4)
    assert (completion.text, completion.tokens) == ("Yes", 3)


async def test_a_reply_that_ends_within_its_thoughts_has_no_other_tokens():
    reply, _ = await reply_of(ROLE, THOUGHT, END, THOUGHT_USAGE, DONE)
    completion = reply.completion
    assert (completion.thoughts, completion.thought_tokens) == ("Hm", 7)
    assert (completion.text, completion.tokens) == ("", 0)


@pytest.mark.parametrize("lines", [(), (ROLE, YES), (ROLE, YES, END), (YES, USAGE, DONE)])
async def test_a_stream_that_breaks_off_means_a_dead_engine(lines: tuple[bytes, ...]):
    with pytest.raises(EngineDied):
        await reply_of(*lines)


async def test_an_error_inside_the_stream_is_raised():
    with pytest.raises(Internal, match="broken"):
        await reply_of(ROLE, ERROR, DONE)


@pytest.mark.parametrize(
    ("status", "body", "kind", "message"),
    [
        (
            400,
            TOO_LONG,
            InvalidArgument,
            "The input token count (3031) exceeds the maximum number of tokens allowed (1023).",
        ),
        (400, b'{"error":{"code":400,"message":"bad field"}}', InvalidArgument, "bad field"),
        (503, b'{"error":{"code":503,"message":"Loading model"}}', EngineDied, "Loading model"),
        (500, b'{"error":{"code":500,"message":"oops"}}', Internal, "oops"),
        (502, b"<html>", Internal, "<html>"),
        (503, b"", EngineDied, "not ready"),
    ],
)
def test_a_refusal_becomes_the_error_that_it_stands_for(
    status: int, body: bytes, kind: type[TopluError], message: str
):
    error = read_refusal(status, body)
    assert type(error) is kind
    assert message in error.message
