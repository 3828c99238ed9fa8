"""Frames that were checked and compiled once, and the prompts of plain contents within them.

A request is contents in a frame: all else that it says, as its system text, its settings and its
schema. The lines of a batch share it as a rule. So a frame is kept as the rules have read it, by
its bytes, and a request in it whose contents are texts, of the user and the model in turn, needs
no further rule. Every other request is read by all rules, see `engines.translation.prompt`.
"""

from operator import attrgetter

import msgspec
from msgspec.structs import replace

from toplu.engines.prompt import Prompt, Role, Turn
from toplu.engines.translation.prompt import is_unicode
from toplu.wire.gemini.content import Content, GenerateContentRequest, Part

FRAMES_MAX = 64  # of a model
FRAME_BYTES_MAX = 256 * 1024

ROLES: dict[str | None, Role] = {None: "user", "": "user", "user": "user", "model": "assistant"}

# Neither who is asked nor how it is summed is any matter of a prompt.
NOT_OF_FRAME = ("contents", "model", "labels")
_frame_of = attrgetter(
    *(name for name in GenerateContentRequest.__struct_fields__ if name not in NOT_OF_FRAME)
)
_encoder = msgspec.msgpack.Encoder()


class Frames:
    """The frames of requests to one model that were read last."""

    def __init__(self) -> None:
        self._frames: dict[bytes, Prompt] = {}  # without the turns of any contents

    def find(self, request: GenerateContentRequest) -> Prompt | None:
        """Return the prompt of plain contents in a frame that was kept, else None."""
        turns = plain_turns(request.contents)
        if turns is None or (key := _write_frame(request)) is None:
            return None
        frame = self._frames.get(key)
        return None if frame is None else replace(frame, turns=frame.turns + turns)

    def keep(self, request: GenerateContentRequest, prompt: Prompt) -> None:
        """Keep the frame of a request that was read by all rules, if its contents are plain."""
        turns = plain_turns(request.contents)
        if turns is None or (key := _write_frame(request)) is None:
            return
        while len(self._frames) >= FRAMES_MAX:
            del self._frames[next(iter(self._frames))]
        self._frames[key] = replace(prompt, turns=prompt.turns[: -len(turns)])


def plain_turns(contents: list[Content] | None) -> tuple[Turn, ...] | None:
    """Return the turns of contents that have nothing but text, None if they have more or none."""
    turns: list[Turn] = []
    for content in contents or ():
        parts = content.parts or ()
        texts = [
            part.text for part in parts if part.text is not None and part == Part(text=part.text)
        ]
        role = ROLES.get(content.role)
        if role is None or not texts or len(texts) < len(parts):
            return None
        if role == "assistant" and turns and turns[-1].role == role:
            return None  # one turn in pieces
        text = texts[0] if len(texts) == 1 else "\n".join(texts)
        if not is_unicode(text):
            return None
        turns.append(Turn(role, text))
    return tuple(turns) or None


def _write_frame(request: GenerateContentRequest) -> bytes | None:
    """Return the frame as bytes, which no other one has; None: it is not to be kept."""
    try:
        frame = _encoder.encode(_frame_of(request))
    except (ValueError, OverflowError, RecursionError):
        return None  # it cannot be, which the rules will say
    return frame if len(frame) <= FRAME_BYTES_MAX else None
