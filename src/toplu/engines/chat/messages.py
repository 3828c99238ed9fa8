"""A conversation as chat servers take it: OpenAI's messages, with images as data URIs."""

import base64
import itertools
from typing import Any

from msgspec.structs import replace

from toplu.engines.prompt import Image, Turn


def write_messages(turns: tuple[Turn, ...]) -> list[dict[str, Any]]:
    """Return the messages; one without images has its text alone, which every server takes."""
    return [
        {
            "role": turn.role,
            "content": [_part(part) for part in turn.parts] if turn.images else turn.text,
        }
        for turn in turns
    ]


def with_images_twice(turns: tuple[Turn, ...]) -> tuple[Turn, ...]:
    """Return the turns with each image a second time, so that what it adds can be counted."""
    return tuple(
        replace(
            turn,
            content=tuple(
                itertools.chain.from_iterable(
                    (part, part) if isinstance(part, Image) else (part,) for part in turn.parts
                )
            ),
        )
        for turn in turns
    )


def _part(part: str | Image) -> dict[str, Any]:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    data = base64.b64encode(part.data).decode()
    return {"type": "image_url", "image_url": {"url": f"data:{part.media_type};base64,{data}"}}
