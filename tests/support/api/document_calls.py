"""Requests that carry a document."""

import base64
from typing import Any


def attaching(data: bytes, mime_type: str) -> dict[str, Any]:
    part = {"inlineData": {"mimeType": mime_type, "data": base64.b64encode(data).decode()}}
    return {"contents": [{"parts": [part, {"text": "and"}]}]}
