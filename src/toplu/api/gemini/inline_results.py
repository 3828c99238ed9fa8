"""The results of a batch inside its Operation, which has a mark where each list of them stands.

    {"metadata": {… "inlinedResponses": [ • ]}, "response": {… "inlinedResponses": [ • ]}}
                                          └ the output, read as it is sent ┘

They may be a gigabyte, which no server is to hold; the rest of an Operation is small.
"""

from collections.abc import AsyncIterator, Sequence

import msgspec

from toplu.wire.gemini import message
from toplu.wire.gemini.batch import Operation

# No JSON has this byte, in a string neither.
MARK = b"\x00"
RESULTS = [msgspec.Raw(MARK)]  # in the place of a list of results


def split_at_results(operation: Operation) -> list[bytes]:
    """Return the written Operation in pieces; between two of them stand the results."""
    return message.write(operation).split(MARK)


async def joined(
    written: Sequence[bytes], outputs: Sequence[AsyncIterator[bytes]]
) -> AsyncIterator[bytes]:
    """Yield what is written, with an output of the batch between two pieces of it."""
    for before, output in zip(written, outputs, strict=False):
        yield before
        async for piece in _as_list(output):
            yield piece
    yield written[-1]


async def _as_list(output: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the lines with commas between them; JSON on one line has no other line feed."""
    last = b""  # kept back: the end of the last line is followed by none
    async for piece in output:
        yield last + piece[:-1].replace(b"\n", b",")
        last = piece[-1:].replace(b"\n", b",")
