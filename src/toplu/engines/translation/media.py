r"""The parts of a request that carry bytes or name a file, and the request without them.

A document enters the prompt as text in the place of its part:

    <document name="report.pdf" type="application/pdf">
    …
    </document>

`name` is the display name and is left out where there is none. So that a document cannot end
itself, `</document` inside it is written `<\/document`. Pages that are shown stand between texts.

An image stays where it stood, as one that was written here.
"""

import html
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from toplu.engines.prompt import Image
from toplu.wire.gemini.content import Blob, Content, GenerateContentRequest, Part

SYSTEM = "system_instruction"
END = re.compile(r"</(?=document)", re.IGNORECASE)
NOT_ON_ONE_LINE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


@dataclass(frozen=True, slots=True)
class MediaPart:
    """A part with `inline_data` or `file_data`, and where it stands, in proto snake_case."""

    path: str
    part: Part
    role: str  # as the request has it; `system` in the system instruction


class ResolvedMedia(Blob, frozen=True, kw_only=True):
    """An image that was read, in the place of the bytes or the file that the client named."""

    image: Image


def find_attached(request: GenerateContentRequest) -> Iterator[MediaPart]:
    """Yield the parts that stand for documents or images, in the order in which they are read."""
    for path, content in _contents(request):
        for index, part in enumerate(content.parts or []):
            if part.inline_data is not None or part.file_data is not None:
                role = "system" if path == SYSTEM else content.role or ""
                yield MediaPart(f"{path}.parts[{index}]", part, role)


def with_read(
    request: GenerateContentRequest, read: Mapping[str, Sequence[str | Image | Blob]]
) -> GenerateContentRequest:
    """Return the request with what was read at each path in the place of what stands there."""
    contents = {path: _filled(path, content, read) for path, content in _contents(request)}
    system = contents.pop(SYSTEM, None)
    return msgspec.structs.replace(
        request,
        contents=None if request.contents is None else list(contents.values()),
        system_instruction=system,
    )


def with_bytes(request: GenerateContentRequest) -> GenerateContentRequest:
    """Return the request with the bytes of the images that it shows, as it can be kept."""

    def kept(content: Content) -> Content:
        parts = [
            msgspec.structs.replace(part, inline_data=_blob(part.inline_data.image))
            if isinstance(part.inline_data, ResolvedMedia)
            else part
            for part in content.parts or []
        ]
        return msgspec.structs.replace(content, parts=parts)

    contents = [kept(content) for content in request.contents or []]
    return msgspec.structs.replace(request, contents=contents or None)


def _blob(image: Image) -> Blob:
    return Blob(mime_type=image.media_type, data=image.data)


def write_document(
    pieces: Sequence[str | Image], *, name: str | None, media_type: str
) -> list[str | Image]:
    """Return the texts as the model reads them, and the pages that it sees where they stand."""
    escaped = html.escape(NOT_ON_ONE_LINE.sub(" ", name)) if name else ""
    named = f' name="{escaped}"' if escaped else ""
    begin, end = f'<document{named} type="{media_type}">', "</document>"
    inside = [
        END.sub(r"<\\/", piece).strip("\n") if isinstance(piece, str) else piece for piece in pieces
    ]
    if len(inside) == 1 and isinstance(inside[0], str):
        return [f"{begin}\n{inside[0]}\n{end}"]
    return [begin, *inside, end]


def _contents(request: GenerateContentRequest) -> Iterator[tuple[str, Content]]:
    if request.system_instruction is not None:
        yield SYSTEM, request.system_instruction
    for index, content in enumerate(request.contents or []):
        yield f"contents[{index}]", content


def _filled(
    path: str, content: Content, read: Mapping[str, Sequence[str | Image | Blob]]
) -> Content:
    parts: list[Part] = []
    for index, part in enumerate(content.parts or []):
        pieces = read.get(f"{path}.parts[{index}]")
        parts += [part] if pieces is None else [_replaced(part, piece) for piece in pieces]
    return msgspec.structs.replace(content, parts=parts if content.parts is not None else None)


def _replaced(part: Part, read: str | Image | Blob) -> Part:
    if isinstance(read, str):
        return msgspec.structs.replace(part, text=read, inline_data=None, file_data=None)
    blob = read if isinstance(read, Blob) else ResolvedMedia(image=read)
    return msgspec.structs.replace(part, inline_data=blob, file_data=None)
