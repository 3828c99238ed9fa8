"""One life of the reading process: given a document, bounded in time and output, always reaped."""

import asyncio
import contextlib
import subprocess
import sys
from typing import cast

import msgspec

from toplu.documents.child import ChildAnswer, ChildOrder, DocumentOrder, ImageOrder
from toplu.documents.fault import DocumentFault
from toplu.documents.image import PlainImage

CHILD_MODULE = "toplu.documents.child"
STDIN = 0
# A character is at most six bytes of JSON; the rest is what stands around the text. No pixel of a
# PNG or a JPEG that the child writes takes more than its three colours, in base64.
BYTES_PER_CHARACTER_MAX = 6
BYTES_PER_PIXEL_MAX = 4
FRAME_BYTES_MAX = 4096
# The child counts its own processor time. By the clock it may take longer, on a busy machine.
CLOCK_SECONDS_PER_CPU_SECOND = 3

SPENT = (
    "cannot be read within the limits on memory and time: it is damaged, or made to take too much."
)


class _Pipes(asyncio.SubprocessProtocol):
    """What the child says; one that says too much is killed."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self.transport: asyncio.SubprocessTransport | None = None
        self.said = bytearray()
        self.ended = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not isinstance: uvloop's transports have the methods, not the class.
        self.transport = cast("asyncio.SubprocessTransport", transport)

    def pipe_data_received(self, fd: int, data: bytes) -> None:  # noqa: ARG002  # asyncio's name
        self.said += data
        if len(self.said) > self._bytes_max:
            self.said.clear()
            self.kill()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # asyncio's name
        self.ended.set()

    def kill(self) -> None:
        assert self.transport is not None, "asyncio connects before it returns the transport"
        with contextlib.suppress(ProcessLookupError):
            self.transport.kill()


async def read_in_child(order: DocumentOrder, data: bytes) -> str:
    """Return the text of the document, or raise DocumentFault; no child outlives the call."""
    answer = await _ask_child(order, data, order.characters_max * BYTES_PER_CHARACTER_MAX)
    if answer.text is None:
        raise DocumentFault(answer.fault or SPENT, unserved=answer.unserved)
    return answer.text


async def read_image_in_child(order: ImageOrder, data: bytes) -> PlainImage:
    """Return the image as the child has written it, or raise DocumentFault."""
    answer = await _ask_child(order, data, order.side_max**2 * BYTES_PER_PIXEL_MAX)
    if answer.image is None:
        raise DocumentFault(answer.fault or SPENT, unserved=answer.unserved)
    return answer.image


async def _ask_child(order: ChildOrder, data: bytes, said_bytes_max: int) -> ChildAnswer:
    loop = asyncio.get_running_loop()
    transport, pipes = await loop.subprocess_exec(
        lambda: _Pipes(said_bytes_max + FRAME_BYTES_MAX),
        sys.executable,
        "-P",
        "-m",
        CHILD_MODULE,
        stderr=subprocess.DEVNULL,
    )
    try:
        stdin = cast("asyncio.WriteTransport", transport.get_pipe_transport(STDIN))
        stdin.write(msgspec.json.encode(order) + b"\n")
        stdin.write(data)
        async with asyncio.timeout(order.cpu_seconds_max * CLOCK_SECONDS_PER_CPU_SECOND):
            await pipes.ended.wait()
    except TimeoutError as error:
        # Its processor time is not spent, so that the machine may be what was slow.
        raise DocumentFault(SPENT, passing=True) from error
    finally:
        pipes.kill()
        await pipes.ended.wait()
        transport.close()
    try:
        return msgspec.json.decode(bytes(pipes.said), type=ChildAnswer)
    except msgspec.DecodeError as error:
        # It was killed, by its limits or by the fault that the document found in the parser.
        raise DocumentFault(SPENT) from error
