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
FRAME_BYTES_MAX = 4096
# The child counts its own processor time. By the clock it may take longer, on a busy machine.
CLOCK_SECONDS_PER_CPU_SECOND = 3

SPENT = (
    "cannot be read within the limits on memory and time: it is damaged, or made to take too much."
)


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


async def _ask_child(order: ChildOrder, data: bytes, bytes_max: int) -> ChildAnswer:
    try:
        answer = await ask_child(
            CHILD_MODULE,
            order,
            data,
            bytes_max=bytes_max + FRAME_BYTES_MAX,
            seconds_max=order.cpu_seconds_max * CLOCK_SECONDS_PER_CPU_SECOND,
        )
    except TimeoutError as error:
        # Its processor time is not spent, so that the machine may be what was slow.
        raise DocumentFault(SPENT, passing=True) from error
    try:
        return msgspec.json.decode(answer.output, type=ChildAnswer)
    except msgspec.DecodeError as error:
        # It was killed, by its limits or by the fault that the document found in the parser.
        raise DocumentFault(SPENT) from error
