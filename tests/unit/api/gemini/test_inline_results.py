"""An Operation with results is the same JSON as ever; no more of it is read than is sent."""

import json
from collections.abc import AsyncIterator

import pytest

from toplu.api.gemini.inline_results import RESULTS, joined, split_at_results
from toplu.wire.gemini.batch import BatchMetadata, BatchOutput, InlinedResponses, Operation

LINES = [b'{"response": {"text": "a\\nb"}}', b'{"error": {"code": 3}}', b'{"response": {}}']
OUTPUT = b"".join(line + b"\n" for line in LINES)


def operation(display_name: str = "name") -> Operation:
    output = BatchOutput(inlined_responses=InlinedResponses(inlined_responses=RESULTS))
    metadata = BatchMetadata(
        name="batches/b",
        model="models/m",
        display_name=display_name,
        output=output,
        create_time="now",
        update_time="now",
        state="JOB_STATE_SUCCEEDED",
    )
    return Operation(name="batches/b", metadata=metadata, done=True, response=output)


async def pieces_of(output: bytes, size: int) -> AsyncIterator[bytes]:
    for offset in range(0, len(output), size):
        yield output[offset : offset + size]


@pytest.mark.parametrize("size", [1, 2, 7, len(LINES[0]), len(LINES[0]) + 1, len(OUTPUT)])
async def test_results_stand_in_both_places_however_they_are_cut(size: int) -> None:
    written = split_at_results(operation())
    outputs = [pieces_of(OUTPUT, size), pieces_of(OUTPUT, size)]
    whole = json.loads(b"".join([piece async for piece in joined(written, outputs)]))
    results = [json.loads(line) for line in LINES]
    assert whole["metadata"]["output"]["inlinedResponses"]["inlinedResponses"] == results
    assert whole["response"]["inlinedResponses"]["inlinedResponses"] == results


async def test_a_name_with_the_mark_in_it_is_no_place_for_results() -> None:
    written = split_at_results(operation("a\x00b"))
    outputs = [pieces_of(OUTPUT, 9), pieces_of(OUTPUT, 9)]
    whole = json.loads(b"".join([piece async for piece in joined(written, outputs)]))
    assert whole["metadata"]["displayName"] == "a\x00b"


async def test_no_piece_is_read_before_the_one_before_it_is_taken() -> None:
    read = 0

    async def counted() -> AsyncIterator[bytes]:
        nonlocal read
        async for piece in pieces_of(OUTPUT, 8):
            read += 1
            yield piece

    taken = joined(split_at_results(operation()), [counted(), counted()])
    await anext(taken)
    for count in range(1, 4):
        await anext(taken)
        assert read == count
