"""Images that are refused: each refusal says what is wrong, and where."""

from typing import Any

import httpx2 as httpx
import pytest
from PIL import Image

from support.api.batch_calls import text_of
from support.api.image_calls import MISSING, PNG, SEEING, answer, asking, inline, naming, refusal
from support.api.local_server import LocalServer, OpenServer, http_of
from support.api.upload_calls import upload_raw
from support.image_files import image_of, png_bomb, saved

AT = "contents[0].parts[0]."
PREFIX = f"* GenerateContentRequest.{AT}"


@pytest.fixture(scope="module")
def server(seeing_server: LocalServer) -> LocalServer:
    return seeing_server


@pytest.mark.parametrize(
    ("part", "status", "message"),
    [
        (
            inline(PNG, "image/jpeg"),
            400,
            f"{PREFIX}inline_data: is not image/jpeg: it is image/png.\n",
        ),
        (inline(b"x"), 400, f"{PREFIX}inline_data: is not image/png.\n"),
        (inline(PNG[:60]), 400, f"{PREFIX}inline_data: is image/png that is damaged.\n"),
        (
            inline(png_bomb(60_000, 60_000)),
            400,
            f"{PREFIX}inline_data: has 60000 times 60000 pixels; at most 64000000 are read.\n",
        ),
        (
            inline(PNG, "image/tiff"),
            400,
            f"{PREFIX}inline_data: Unsupported MIME type: image/tiff\n",
        ),
        (
            inline(PNG, "text/plain"),
            400,
            f"{PREFIX}inline_data: is not text/plain in utf-8: it cannot be decoded at byte 0.\n",
        ),
        (
            inline(PNG) | {"text": "y"},
            400,
            f"{PREFIX}inline_data: oneof field 'data' is already set.\n",
        ),
        (
            inline(PNG, "image/heic"),
            501,
            f"{AT}inlineData is image/heic, which is not read here: send a PNG, JPEG, WebP or GIF.",
        ),
        (
            inline(b"x", "audio/wav"),
            501,
            f"{AT}inlineData is audio/wav, and this server does not serve audio.",
        ),
        (
            naming("files/x", "video/mp4"),
            501,
            f"{AT}fileData is video/mp4, and this server does not serve video.",
        ),
        (naming("files/x", "image/png"), 403, MISSING.format("x")),
    ],
)
def test_an_image_that_a_seeing_model_may_not_see_is_refused_with_its_place(
    http: httpx.Client, part: dict[str, Any], status: int, message: str
) -> None:
    assert refusal(http, asking(part)) == (status, message)


def test_a_model_that_does_not_see_says_so_with_its_name(http: httpx.Client) -> None:
    file = upload_raw(http, PNG, "image/png")
    for part, field in ((inline(PNG), "inlineData"), (naming(file["uri"]), "fileData")):
        assert refusal(http, asking({"text": "?"}, part), "blind") == (
            501,
            f"contents[0].parts[1].{field} is image/png, and the model blind does not see.",
        )


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"systemInstruction": {"parts": [inline(PNG)]}}, "systemInstruction.parts[0].inlineData"),
        (
            {"contents": [{"parts": [{"text": "?"}]}, {"role": "model", "parts": [inline(PNG)]}]},
            "contents[1].parts[0].inlineData",
        ),
    ],
)
def test_only_the_user_shows_images(http: httpx.Client, fields: dict[str, Any], path: str) -> None:
    assert refusal(http, asking({"text": "?"}) | fields) == (
        501,
        f"{path} is image/png, and models see only what the user shows.",
    )


def test_a_file_is_read_as_what_it_was_uploaded_as(http: httpx.Client) -> None:
    file = upload_raw(http, PNG, "image/png")
    for mime_type in ("image/jpeg", "text/plain", "application/pdf"):
        assert refusal(http, asking(naming(file["uri"], mime_type))) == (
            400,
            f"{PREFIX}file_data: mime_type is {mime_type}, but the file is image/png.\n",
        )
    liar = upload_raw(http, image_of("GIF"), "image/png")
    assert refusal(http, asking(naming(liar["uri"]))) == (
        400,
        f"{PREFIX}file_data: is not image/png: it is image/gif.\n",
    )
    bare = upload_raw(http, PNG, "application/octet-stream")
    assert text_of(answer(http, asking(naming(bare["uri"], "image/png")))) == "<image/png:64x48>"


def test_the_limits_hold_for_all_images_of_a_request(open_test_server: OpenServer) -> None:
    noise = saved(Image.effect_noise((64, 64), 100))
    server = open_test_server(
        models=(SEEING,),
        request_images_max=2,
        request_image_bytes_max=12_000,
        image_bytes_max=6000,
        image_pixels_max=5000,
        image_side_max=64,
    )
    with http_of(server) as http:
        assert answer(http, asking(*[inline(PNG)] * 2))
        for parts, place, told in [
            ([inline(PNG)] * 3, 2, "a request shows at most 2 images."),
            ([inline(noise)] * 2, 1, "the images of the request have more than 12000 bytes"),
            ([inline(image_of(size=(100, 51)))], 0, "has 100 times 51 pixels; at most 5000"),
            ([inline(PNG + b"0" * 6000)], 0, f"has {len(PNG) + 6000} bytes; at most 6000"),
        ]:
            status, message = refusal(http, asking(*parts))
            where = f"* GenerateContentRequest.contents[0].parts[{place}].inline_data: "
            assert (status, message.startswith(where + told)) == (400, True), message
