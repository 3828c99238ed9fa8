"""Requests that show images to a model that sees, by every call."""

import io
import json

import httpx2 as httpx
import pytest
from google import genai
from google.genai import types
from PIL import Image

from support.api.batch_calls import (
    create_from_file,
    create_inline,
    finish,
    result_lines,
    text_of,
    upload_lines,
)
from support.api.image_calls import (
    FLASH,
    LARGE,
    MISSING,
    MODEL,
    PNG,
    SEEING,
    answer,
    asking,
    inline,
    naming,
    refusal,
)
from support.api.local_server import LocalServer, OpenServer, http_of
from support.api.stream_calls import events_of
from support.api.upload_calls import upload_raw
from support.image_files import image_of, png_bomb
from toplu.job import ProjectId


@pytest.fixture(scope="module")
def server(seeing_server: LocalServer) -> LocalServer:
    return seeing_server


def test_images_and_texts_keep_their_order(http: httpx.Client) -> None:
    file = upload_raw(http, image_of("WEBP", (30, 20)), "image/webp")
    request = asking(
        {"text": "one"},
        {"text": "two"},
        inline(PNG),
        naming(file["uri"], "image/webp"),
        {"text": "three"},
        naming(file["name"]),
    )
    assert text_of(answer(http, request)) == (
        "one\ntwo\n<image/png:64x48>\n<image/png:30x20>\nthree\n<image/png:30x20>"
    )


def test_documents_and_images_stand_side_by_side(http: httpx.Client) -> None:
    said = text_of(answer(http, asking(inline(b"a", "text/plain"), inline(PNG))))
    assert said == '<document type="text/plain">\na\n</document>\n<image/png:64x48>'


def test_the_usage_tells_images_apart(http: httpx.Client) -> None:
    request = asking({"text": "What is this?"}, inline(PNG))
    details = [
        {"modality": "TEXT", "tokenCount": 3},
        {"modality": "IMAGE", "tokenCount": 1},
    ]
    usage = answer(http, request)["usageMetadata"]
    assert (usage["promptTokenCount"], usage["promptTokensDetails"]) == (4, details)
    reply = http.post(f"{MODEL}:streamGenerateContent?alt=sse", json=request)
    chunks = events_of(reply.text)
    assert "".join(text_of(chunk) for chunk in chunks) == "What is this?\n<image/png:64x48>"
    for chunk in chunks:
        assert chunk["usageMetadata"]["promptTokensDetails"] == details
    for body in (request, {"generateContentRequest": request}):
        counted = http.post(f"{MODEL}:countTokens", json=body).json()
        assert counted == {"totalTokens": 4, "promptTokensDetails": details}


def test_a_line_of_a_batch_shows_what_an_interactive_call_shows(http: httpx.Client) -> None:
    file = upload_raw(http, PNG, "image/png")
    requests = {
        "inline": asking(inline(PNG), {"text": "?"}),
        "uri": asking(naming(file["uri"], "image/png"), {"text": "?"}),
        "name": asking({"file_data": {"file_uri": file["name"]}}, {"text": "?"}),
        "missing": asking(naming("files/not-there", "image/png")),
        "damaged": asking(inline(PNG[:50])),
        "bomb": asking(inline(png_bomb(30_000, 30_000))),
    }
    lines = [json.dumps({"key": key, "request": asked}).encode() for key, asked in requests.items()]
    done = finish(http, create_from_file(http, upload_lines(http, iter(lines))).json()["name"])
    results = {line["key"]: line for line in result_lines(http, done)}
    for key in ("inline", "uri", "name"):
        interactive = answer(http, requests[key])
        response = results[key]["response"]
        assert text_of(response) == text_of(interactive) == "<image/png:64x48>\n?"
        assert response["usageMetadata"] == interactive["usageMetadata"]
    assert results["missing"]["error"] == {"code": 7, "message": MISSING.format("not-there")}
    for key in ("damaged", "bomb"):
        status, message = refusal(http, requests[key])
        assert (status, results[key]["error"]) == (400, {"code": 3, "message": message})
    assert done["metadata"]["batchStats"]["failedRequestCount"] == "3"


def test_nobody_sees_files_of_another_project(open_test_server: OpenServer) -> None:
    server = open_test_server(models=(SEEING,))
    keys = [
        server.call(server.server.keys.create(ProjectId(name), "test")) for name in ("one", "two")
    ]
    with http_of(server, keys[0]) as mine, http_of(server, keys[1]) as theirs:
        file = upload_raw(mine, PNG, "image/png")
        file_id = file["name"].removeprefix("files/")
        request = asking(naming(file["uri"]))
        assert text_of(answer(mine, request)) == "<image/png:64x48>"
        assert refusal(theirs, request) == (403, MISSING.format(file_id))
        done = finish(theirs, create_inline(theirs, [{"request": request}])["name"])
        (result,) = done["response"]["inlinedResponses"]["inlinedResponses"]
        assert result["error"] == {"code": 7, "message": MISSING.format(file_id)}


def test_the_sdk_shows_images(client: genai.Client) -> None:
    file = client.files.upload(file=io.BytesIO(PNG), config={"mime_type": "image/png"})
    part = types.Part.from_bytes(data=LARGE, mime_type="image/jpeg")
    reply = client.models.generate_content(model=FLASH, contents=[file, part, "What is this?"])
    assert reply.text == "<image/png:64x48>\n<image/png:1536x768>\nWhat is this?"
    assert [
        (detail.modality, detail.token_count)
        for detail in reply.usage_metadata.prompt_tokens_details
    ] == [
        (types.MediaModality.TEXT, 3),
        (types.MediaModality.IMAGE, 2),
    ]
    reply = client.models.generate_content(
        model=FLASH, contents=[Image.open(io.BytesIO(PNG)), "And a picture of Pillow?"]
    )
    assert reply.text.startswith("<image/png:64x48>")


@pytest.mark.parametrize(
    ("resolution", "of_part", "seen"),
    [
        (None, None, "1536x768"),
        ("MEDIA_RESOLUTION_UNSPECIFIED", None, "1536x768"),
        ("MEDIA_RESOLUTION_LOW", None, "384x192"),
        ("MEDIA_RESOLUTION_MEDIUM", None, "768x384"),
        ("media_resolution_high", None, "1536x768"),
        ("MEDIA_RESOLUTION_LOW", "MEDIA_RESOLUTION_HIGH", "1536x768"),
        (None, "MEDIA_RESOLUTION_MEDIUM", "768x384"),
        ("MEDIA_RESOLUTION_LOW", "MEDIA_RESOLUTION_UNSPECIFIED", "384x192"),
    ],
)
def test_the_media_resolution_is_the_size_of_an_image(
    http: httpx.Client, resolution: str | None, of_part: str | None, seen: str
) -> None:
    part = inline(LARGE, "image/jpeg")
    if of_part is not None:
        part["mediaResolution"] = {"level": of_part}
    config = {} if resolution is None else {"mediaResolution": resolution}
    request = asking(part, generationConfig=config)
    assert text_of(answer(http, request)) == f"<image/png:{seen}>"
