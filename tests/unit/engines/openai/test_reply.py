"""The form of a server's stream."""

from collections.abc import AsyncIterator

import pytest

from toplu.engines.chat.reply import ReplyParts
from toplu.engines.http.fault import AnswerLost
from toplu.engines.openai.reply import read_stream


async def lines_of(*lines: bytes) -> AsyncIterator[bytes]:
    for line in lines:
        yield line


@pytest.mark.parametrize("event", [b"data: half of", b'data: {"choices": 7}', b"data: \xff"])
async def test_a_stream_that_says_something_else_is_lost(event: bytes) -> None:
    parts = ReplyParts(index=0, top_logprobs=0)
    with pytest.raises(AnswerLost, match="something else than expected"):
        await read_stream(lines_of(event), parts, None)
