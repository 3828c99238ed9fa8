"""Makes of a hostile image a plain one: upright, opaque, of bounded size, and written here.

It runs in the child alone. What engines decode is never what a client has sent: their own
decoders run inside the process that has the model.
"""

import io
from typing import Any

import msgspec

from toplu.documents.fault import DocumentFault
from toplu.documents.image_type import ImageType

# A drawing has few colours, and is written as it is. The PNG of a photograph would be many times
# as large as its JPEG, and take twenty times as long.
DRAWING_COLOURS_MAX = 256
PNG_COMPRESSION = 1  # the quickest; engines take the image apart again at once
JPEG_QUALITY = 90
JPEG_WHOLE_COLOURS = 0  # Pillow's number for colours as fine as the light
ORIENTATION = 0x0112  # of EXIF, how the camera was held
WHITE = (255, 255, 255)


class PlainImage(msgspec.Struct, frozen=True, kw_only=True):
    """An image as it was written here."""

    media_type: ImageType  # PNG or JPEG
    width: int
    height: int
    data: bytes


def read_image(data: bytes, media_type: ImageType, *, pixels_max: int, side_max: int) -> PlainImage:
    """Return the image with its longer side at most `side_max`, or raise DocumentFault."""
    import PIL.Image

    # The bound is ours; Pillow's own is a warning first.
    PIL.Image.MAX_IMAGE_PIXELS = None
    try:
        with PIL.Image.open(io.BytesIO(data), formats=[media_type.name]) as image:
            _check(image, pixels_max)
            return _write(_plain(image, side_max))
    except (DocumentFault, MemoryError):
        raise
    except Exception as error:
        # Decoders fail with whatever their language has when they are led astray.
        raise DocumentFault(f"is {media_type} that is damaged.") from error


def _check(image: Any, pixels_max: int) -> None:
    width, height = image.size
    if width * height > pixels_max:
        raise DocumentFault(f"has {width} times {height} pixels; at most {pixels_max} are read.")
    if getattr(image, "is_animated", False):
        raise DocumentFault("is animated; only images that stand still are read.")


def _plain(image: Any, side_max: int) -> Any:
    """Return the image in red, green and blue, as small and as upright as it is shown."""
    # Of a JPEG this decodes no more than is needed; of others it does nothing.
    image.draft("RGB", (side_max, side_max))
    turned = image.getexif().get(ORIENTATION, 1)
    image = _opaque(image)
    image.thumbnail((side_max, side_max), reducing_gap=2.0)
    return _upright(image, turned)


def _opaque(image: Any) -> Any:
    import PIL.Image

    if image.mode.startswith("I;16"):
        # Pillow takes the high levels for white, unless they are brought down to its own.
        image = image.point(lambda level: level / 256).convert("L")
    if not image.has_transparency_data:
        return image.convert("RGB")
    seen = image.convert("RGBA")
    paper = PIL.Image.new("RGB", image.size, WHITE)
    paper.paste(seen, mask=seen)
    return paper


def _upright(image: Any, turned: int) -> Any:
    from PIL.Image import Transpose

    turn = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }.get(turned)
    return image if turn is None else image.transpose(turn)


def _write(image: Any) -> PlainImage:
    # Without what the client has written beside the pixels.
    image.info = {}
    return _png(image) if image.getcolors(DRAWING_COLOURS_MAX) is not None else _jpeg(image)


def write_page(image: Any, side_max: int) -> PlainImage:
    """Return the picture of a page: a scan in grey has few colours, and is a photograph still."""
    image = image.convert("RGB")
    image.thumbnail((side_max, side_max))  # a pixel may be too much
    written = [_jpeg(image)]
    if image.getcolors(DRAWING_COLOURS_MAX) is not None:
        written.append(_png(image))
    return min(written, key=lambda each: len(each.data))


def _png(image: Any) -> PlainImage:
    return _saved(image, ImageType.PNG, compress_level=PNG_COMPRESSION)


def _jpeg(image: Any) -> PlainImage:
    return _saved(image, ImageType.JPEG, quality=JPEG_QUALITY, subsampling=JPEG_WHOLE_COLOURS)


def _saved(image: Any, media_type: ImageType, **options: int) -> PlainImage:
    file = io.BytesIO()
    image.save(file, media_type.name, **options)
    return PlainImage(
        media_type=media_type, width=image.width, height=image.height, data=file.getvalue()
    )
