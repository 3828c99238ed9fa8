"""Images come out plain, whatever went in; hostile ones come to an end."""

import asyncio
import contextlib
import io
import random
from typing import Any

import pytest
from PIL import Image

from support.image_files import BLUE, GREEN, RED, image_of, png_bomb, saved, text_bomb
from support.waiting import PATIENCE_SECONDS
from toplu.documents.fault import DocumentFault
from toplu.documents.image import PlainImage
from toplu.documents.image_reader import ImageReader
from toplu.documents.image_type import ImageType, is_image, read_image_type
from toplu.documents.reading_process import SPENT
from toplu.settings.server import MIB, Settings

TYPES = {form: ImageType[form] for form in ("PNG", "JPEG", "WEBP", "GIF")}


async def plain(
    data: bytes, media_type: ImageType, *, side_max: int = 1536, **settings: Any
) -> PlainImage:
    async def fetch() -> bytes:
        return data

    reader = ImageReader(Settings(**settings))
    async with asyncio.timeout(PATIENCE_SECONDS):
        return await reader.read(media_type, len(data), fetch, side_max=side_max)


async def fault_of(data: bytes, media_type: ImageType, **settings: Any) -> str:
    with pytest.raises(DocumentFault) as raised:
        await plain(data, media_type, **settings)
    assert not raised.value.unserved
    return raised.value.message


def opened(image: PlainImage) -> Image.Image:
    """Return the image as Pillow reads what was written, which says what it is."""
    read = Image.open(io.BytesIO(image.data))
    read.load()
    assert read.format == ImageType(image.media_type).name
    assert (read.mode, read.size) == ("RGB", (image.width, image.height))
    return read


def is_near(image: PlainImage, place: tuple[int, int], colour: tuple[int, int, int]) -> bool:
    seen = opened(image).getpixel(place)
    return all(abs(a - b) < 24 for a, b in zip(seen, colour, strict=True))


@pytest.mark.parametrize("form", TYPES)
async def test_each_type_comes_out_as_a_plain_image(form: str) -> None:
    image = await plain(image_of(form, (64, 48), RED), TYPES[form])
    assert image.media_type in (ImageType.PNG, ImageType.JPEG)
    assert (image.width, image.height) == (64, 48)
    assert is_near(image, (32, 24), RED)


@pytest.mark.parametrize(
    ("mode", "colour", "seen"),
    [
        ("1", 1, (255, 255, 255)),
        ("L", 128, (128, 128, 128)),
        ("LA", (0, 128), (127, 127, 127)),
        ("P", 0, (0, 0, 0)),
        ("I;16", 65535 // 2, (127, 127, 127)),
        ("RGBA", (*RED, 255), RED),
        # What is not there is white, and no colour that nobody has ever seen.
        ("RGBA", (*RED, 0), (255, 255, 255)),
    ],
)
async def test_the_colours_are_those_that_people_see(
    mode: str, colour: Any, seen: tuple[int, int, int]
) -> None:
    assert is_near(await plain(image_of("PNG", (8, 8), colour, mode), ImageType.PNG), (4, 4), seen)


async def test_ink_is_read_as_light() -> None:
    data = image_of("JPEG", (16, 16), (0, 255, 255, 0), "CMYK")
    assert is_near(await plain(data, ImageType.JPEG), (8, 8), RED)


async def test_a_photograph_stands_upright() -> None:
    sideways = Image.new("RGB", (40, 20), BLUE)
    sideways.paste(GREEN, (0, 0, 20, 20))
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held on its right side
    image = await plain(saved(sideways, "JPEG", exif=exif, quality=95), ImageType.JPEG)
    assert (image.width, image.height) == (20, 40)
    assert is_near(image, (10, 5), GREEN)
    assert is_near(image, (10, 35), BLUE)


async def test_nothing_of_the_client_is_left_beside_the_pixels() -> None:
    exif = Image.Exif()
    exif[0x010E] = "who held the camera"
    data = saved(Image.new("RGB", (8, 8)), "JPEG", exif=exif, comment=b"where", icc_profile=b"x")
    image = await plain(data, ImageType.JPEG)
    assert not opened(image).getexif()
    assert b"who held" not in image.data
    assert b"where" not in image.data


@pytest.mark.parametrize(
    ("size", "side_max", "seen"),
    [
        ((3000, 1000), 300, (300, 100)),
        ((10, 4000), 100, (1, 100)),
        ((50, 40), 100, (50, 40)),
        ((1, 1), 100, (1, 1)),
    ],
)
async def test_an_image_is_no_larger_than_the_bound(
    size: tuple[int, int], side_max: int, seen: tuple[int, int]
) -> None:
    for form in ("PNG", "JPEG"):
        image = await plain(image_of(form, size), TYPES[form], side_max=side_max)
        assert (image.width, image.height) == seen


async def test_a_drawing_stays_as_it_is_and_a_photograph_stays_small() -> None:
    drawing = Image.new("RGB", (64, 64), RED)
    drawing.putpixel((3, 3), BLUE)
    image = await plain(saved(drawing), ImageType.PNG)
    assert list(opened(image).tobytes()) == list(drawing.tobytes())
    noise = Image.frombytes("RGB", (512, 512), random.Random(1).randbytes(512 * 512 * 3))
    image = await plain(saved(noise), ImageType.PNG)
    assert image.media_type is ImageType.JPEG
    assert len(image.data) < 512 * 512 * 2


@pytest.mark.parametrize(
    ("data", "media_type", "message"),
    [
        (image_of("JPEG"), ImageType.PNG, "is not image/png: it is image/jpeg."),
        (image_of("PNG"), ImageType.WEBP, "is not image/webp: it is image/png."),
        (b"%PDF-1.4 and so on", ImageType.PNG, "is not image/png."),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", ImageType.GIF, "is not image/gif."),
        (b"x", ImageType.JPEG, "is not image/jpeg."),
        (image_of("PNG")[:60], ImageType.PNG, "is image/png that is damaged."),
        (image_of("JPEG")[:-200], ImageType.JPEG, "is image/jpeg that is damaged."),
        (image_of("WEBP")[:-20], ImageType.WEBP, "is image/webp that is damaged."),
        (image_of("GIF")[:20], ImageType.GIF, "is image/gif that is damaged."),
        (b"\x89PNG\r\n\x1a\n", ImageType.PNG, "is image/png that is damaged."),
        (b"\xff\xd8\xff\xff\xff", ImageType.JPEG, "is image/jpeg that is damaged."),
        (png_bomb(0, 0), ImageType.PNG, "is image/png that is damaged."),
        (text_bomb(64 * MIB), ImageType.PNG, "is image/png that is damaged."),
    ],
)
async def test_what_is_no_image_of_its_type_is_a_clear_fault(
    data: bytes, media_type: ImageType, message: str
) -> None:
    assert await fault_of(data, media_type) == message


@pytest.mark.parametrize("form", ["GIF", "PNG", "WEBP"])
async def test_a_film_is_no_image(form: str) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in (RED, BLUE)]
    data = saved(frames[0], form, save_all=True, append_images=frames[1:])
    assert (
        await fault_of(data, TYPES[form]) == "is animated; only images that stand still are read."
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "data",
    [
        png_bomb(20_000, 20_000),
        png_bomb(60_000, 1_100),
        png_bomb(2**31 - 1, 1),
    ],
)
async def test_more_pixels_than_the_limit_are_not_even_decoded(data: bytes) -> None:
    assert len(data) < MIB
    assert "pixels; at most 64000000 are read." in await fault_of(data, ImageType.PNG)


@pytest.mark.slow
@pytest.mark.parametrize(
    "limits",
    [
        {"document_memory_bytes_max": 128 * MIB},
        {"document_memory_bytes_max": 8192 * MIB, "document_seconds_max": 1.0},
    ],
)
async def test_a_bomb_ends_at_either_limit(limits: dict[str, Any]) -> None:
    bomb = png_bomb(30_000, 30_000)
    message = await fault_of(bomb, ImageType.PNG, image_pixels_max=10**9, **limits)
    assert message in (SPENT, "cannot be read within the limits on memory.")


@pytest.mark.slow
async def test_the_largest_image_that_is_read_takes_no_more_than_its_limits() -> None:
    noisy = random.Random(1).randbytes(1000 * 4)
    row = Image.frombytes("RGBA", (1000, 1), noisy).resize((8000, 1))
    image = await plain(saved(row.resize((8000, 8000)), compress_level=1), ImageType.PNG)
    assert max(image.width, image.height) == 1536


async def test_more_bytes_than_the_limit_are_not_even_fetched() -> None:
    async def fetch() -> bytes:
        raise AssertionError("the bytes were fetched")

    reader = ImageReader(Settings(image_bytes_max=10))
    with pytest.raises(DocumentFault, match="has 11 bytes; at most 10 are read"):
        await reader.read(ImageType.PNG, 11, fetch, side_max=100)


@pytest.mark.slow
@pytest.mark.parametrize("form", TYPES)
async def test_whatever_is_done_to_its_bytes_an_image_comes_to_an_end(form: str) -> None:
    dice = random.Random(form)
    noise = Image.frombytes("RGB", (32, 32), dice.randbytes(32 * 32 * 3))
    whole = saved(noise, form)
    for _ in range(6):
        bent = bytearray(whole)
        for _ in range(dice.randrange(1, 8)):
            bent[dice.randrange(8, len(bent))] = dice.randrange(256)
        with contextlib.suppress(DocumentFault):
            opened(await plain(bytes(bent), TYPES[form]))


async def test_a_file_is_read_once_for_each_size_however_many_ask() -> None:
    data, fetched = image_of(size=(64, 64)), 0

    async def fetch() -> bytes:
        nonlocal fetched
        fetched += 1
        return data

    reader = ImageReader(Settings(image_readers_max=1))
    calls = [
        reader.read(ImageType.PNG, len(data), fetch, side_max=side, key="a")
        for side in (32, 32, 16, 32)
    ]
    assert [image.width for image in await asyncio.gather(*calls)] == [32, 32, 16, 32]
    assert fetched == 2


@pytest.mark.parametrize(
    ("mime_type", "read"),
    [
        ("image/png", ImageType.PNG),
        ("Image/JPEG; q=1", ImageType.JPEG),
        ("image/jpg", ImageType.JPEG),
        ("image/webp", ImageType.WEBP),
        ("image/gif", ImageType.GIF),
    ],
)
def test_the_types_that_are_read(mime_type: str, read: ImageType) -> None:
    assert is_image(mime_type)
    assert read_image_type(mime_type) is read


@pytest.mark.parametrize(
    ("mime_type", "message", "unserved"),
    [
        (
            "image/heic",
            "is image/heic, which is not read here: send a PNG, JPEG, WebP or GIF.",
            True,
        ),
        ("image/svg+xml", "Unsupported MIME type: image/svg+xml", False),
        ("image/tiff", "Unsupported MIME type: image/tiff", False),
    ],
)
def test_an_image_type_that_is_not_read_is_named(
    mime_type: str, message: str, unserved: bool
) -> None:
    assert is_image(mime_type)
    with pytest.raises(DocumentFault) as raised:
        read_image_type(mime_type)
    assert (raised.value.message, raised.value.unserved) == (message, unserved)


def test_what_is_no_image_type_is_none() -> None:
    assert not any(map(is_image, (None, "", "text/plain", "image/", "image/\n<b>", "image")))
