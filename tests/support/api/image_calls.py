"""Requests with images, and a model that sees beside one that does not."""

import base64
from typing import Any

import httpx2 as httpx
import msgspec

from support.api.local_server import ECHO
from support.image_files import image_of

SEEING = msgspec.structs.replace(ECHO, name="eyes", vision=True)
BLIND = msgspec.structs.replace(ECHO, name="blind", aliases=())
FLASH = "gemini-2.5-flash"
MODEL = f"/v1beta/models/{FLASH}"
MISSING = "You do not have permission to access the File {} or it may not exist."

PNG = image_of("PNG", (64, 48))
LARGE = image_of("JPEG", (2000, 1000))


def asking(*parts: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"contents": [{"role": "user", "parts": list(parts)}]} | fields


def inline(data: bytes, mime_type: str = "image/png") -> dict[str, Any]:
    return {"inlineData": {"data": base64.b64encode(data).decode(), "mimeType": mime_type}}


def naming(uri: str, mime_type: str | None = None) -> dict[str, Any]:
    return {"fileData": {"fileUri": uri} | ({"mimeType": mime_type} if mime_type else {})}


def answer(http: httpx.Client, request: dict[str, Any]) -> dict[str, Any]:
    reply = http.post(f"{MODEL}:generateContent", json=request)
    assert reply.status_code == 200, reply.text
    return reply.json()


def refusal(http: httpx.Client, request: dict[str, Any], model: str = FLASH) -> tuple[int, str]:
    reply = http.post(f"/v1beta/models/{model}:generateContent", json=request)
    assert reply.status_code != 200, reply.text
    return reply.status_code, reply.json()["error"]["message"]
