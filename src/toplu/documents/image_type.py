"""The MIME types of images, those that are read, and the first bytes of each."""

from enum import StrEnum

from toplu.documents.fault import DocumentFault
from toplu.documents.media_type import SHAPE, name_of

IMAGES = "image/"


class ImageType(StrEnum):
    """The types that are read."""

    PNG = "image/png"
    JPEG = "image/jpeg"
    WEBP = "image/webp"
    GIF = "image/gif"


SPELLINGS = {"image/jpg": ImageType.JPEG, "image/pjpeg": ImageType.JPEG}
# The Gemini API takes them. What decodes them is under patents, and not in Pillow.
UNSERVED = frozenset({"image/heic", "image/heif"})

BEGINNINGS = (
    (b"\x89PNG\r\n\x1a\n", ImageType.PNG),
    (b"\xff\xd8\xff", ImageType.JPEG),
    (b"GIF87a", ImageType.GIF),
    (b"GIF89a", ImageType.GIF),
)
RIFF, WEBP, WEBP_AT = b"RIFF", b"WEBP", 8


def is_image(mime_type: str | None) -> bool:
    """Return whether the type is that of an image, read or not."""
    name = name_of(mime_type or "")
    return name.startswith(IMAGES) and SHAPE.fullmatch(name) is not None


def read_image_type(mime_type: str) -> ImageType:
    """Return the type of an image that is read, or raise DocumentFault if it is not."""
    name = name_of(mime_type)
    if name in UNSERVED:
        raise DocumentFault(
            f"is {name}, which is not read here: send a PNG, JPEG, WebP or GIF.", unserved=True
        )
    try:
        return SPELLINGS.get(name) or ImageType(name)
    except ValueError:
        raise DocumentFault(f"Unsupported MIME type: {name}") from None


def find_image_type(data: bytes) -> ImageType | None:
    """Return what the bytes are, whatever was said of them."""
    if data.startswith(RIFF) and data.startswith(WEBP, WEBP_AT):
        return ImageType.WEBP
    return next((found for begin, found in BEGINNINGS if data.startswith(begin)), None)
