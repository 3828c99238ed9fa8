"""Images as clients send them: plain ones, odd ones and hostile ones."""

import io
import struct
import zlib
from typing import Any

from PIL import Image

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
Size = tuple[int, int]


def image_of(
    form: str = "PNG", size: Size = (64, 48), colour: Any = RED, mode: str = "RGB", **options: Any
) -> bytes:
    """Return an image of one colour."""
    return saved(Image.new(mode, size, colour), form, **options)


def saved(image: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def png_bomb(width: int, height: int) -> bytes:
    """Return a PNG of black dots, each row deflated to next to nothing."""
    pixels = deflated_zeros((1 + (width + 7) // 8) * height)
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", header)
        + _chunk(b"IDAT", pixels)
        + _chunk(b"IEND", b"")
    )


def deflated_zeros(count: int) -> bytes:
    """Return so many zero bytes as zlib has them, made in no more time than one block takes."""
    size = 1 << 20
    blocks, rest = divmod(count, size)
    block = _deflated(bytes(size), zlib.Z_FULL_FLUSH)
    checksum = (count % 65521) << 16 | 1  # Adler-32, as RFC 1950 defines it, of zeros
    return b"\x78\xda" + block * blocks + _deflated(bytes(rest)) + struct.pack(">I", checksum)


def _deflated(data: bytes, ending: int = zlib.Z_FINISH) -> bytes:
    squeezer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    return squeezer.compress(data) + squeezer.flush(ending)


def text_bomb(size_bytes: int) -> bytes:
    """Return a small PNG whose comment is deflated from so many bytes."""
    png = image_of()
    comment = b"Comment\0\0" + zlib.compress(b" " * size_bytes, 9)
    return png[:33] + _chunk(b"zTXt", comment) + png[33:]


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
