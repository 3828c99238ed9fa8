"""One life of the reading process: given a document, bounded in time and output, always reaped."""

import msgspec

from toplu.child_process import ask_child
from toplu.documents.child import ChildAnswer, ChildOrder, DocumentOrder, ImageOrder
from toplu.documents.fault import DocumentFault
from toplu.documents.image import PlainImage

CHILD_MODULE = "toplu.documents.child"
# A character is at most six bytes of JSON; the rest is what stands around the text. No pixel of a
# PNG or a JPEG that the child writes takes more than its three colours, in base64.
BYTES_PER_CHARACTER_MAX = 6
BYTES_PER_PIXEL_MAX = 4
BYTES_PER_SHOWN_BYTE_MAX = 2  # base64 needs a third more
FRAME_BYTES_MAX = 4096
# The child counts its own processor time. By the clock it may take longer, on a busy machine.
CLOCK_SECONDS_PER_CPU_SECOND = 3

# What a document is read as: its text, and between it the pages that are shown.
Pieces = tuple[str | PlainImage, ...]

SPENT = (
    "cannot be read within the limits on memory and time: it is damaged, or made to take too much."
)


async def read_in_child(order: DocumentOrder, data: bytes) -> Pieces:
    """Return what the document has, or raise DocumentFault; no child outlives the call."""
    seconds_max = order.cpu_seconds_max * CLOCK_SECONDS_PER_CPU_SECOND
    text_bytes_max = order.characters_max * BYTES_PER_CHARACTER_MAX
    shown_bytes_max = order.scans.shown_bytes_max * BYTES_PER_SHOWN_BYTE_MAX
    bytes_max = text_bytes_max + shown_bytes_max + order.scans.shown_max * FRAME_BYTES_MAX
    answer = await _ask_child(order, data, bytes_max, seconds_max + order.scans.seconds_more)
    if answer.pieces is None:
        raise DocumentFault(answer.fault or SPENT, unserved=answer.unserved)
    return tuple(answer.pieces)


async def read_image_in_child(order: ImageOrder, data: bytes) -> PlainImage:
    """Return the image as the child has written it, or raise DocumentFault."""
    seconds_max = order.cpu_seconds_max * CLOCK_SECONDS_PER_CPU_SECOND
    answer = await _ask_child(order, data, order.side_max**2 * BYTES_PER_PIXEL_MAX, seconds_max)
    if answer.image is None:
        raise DocumentFault(answer.fault or SPENT, unserved=answer.unserved)
    return answer.image


async def _ask_child(
    order: ChildOrder, data: bytes, bytes_max: int, seconds_max: float
) -> ChildAnswer:
    try:
        answer = await ask_child(
            CHILD_MODULE,
            order,
            data,
            bytes_max=bytes_max + FRAME_BYTES_MAX,
            seconds_max=seconds_max,
        )
    except TimeoutError as error:
        # Its processor time is not spent, so that the machine may be what was slow.
        raise DocumentFault(SPENT, passing=True) from error
    try:
        return msgspec.json.decode(answer.output, type=ChildAnswer)
    except msgspec.DecodeError as error:
        # It was killed, by its limits or by the fault that the document found in the parser.
        raise DocumentFault(SPENT) from error
