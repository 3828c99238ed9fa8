"""Words for what the tests do with caches."""

from typing import Any

import httpx2 as httpx

FLASH = "models/gemini-2.5-flash"
WORDS = 40
TEXT = " ".join(f"word{number}" for number in range(WORDS))
MISSING = {
    "code": 403,
    "message": "CachedContent not found (or permission denied)",
    "status": "PERMISSION_DENIED",
}


def a_cache(**fields: Any) -> dict[str, Any]:
    return {"model": FLASH, "contents": [{"role": "user", "parts": [{"text": TEXT}]}]} | fields


def create_cache(http: httpx.Client, **fields: Any) -> dict[str, Any]:
    reply = http.post("/v1beta/cachedContents", json=a_cache(**fields))
    assert reply.status_code == 200, reply.text
    return reply.json()


def asking_with(name: str, text: str = "And now?", **fields: Any) -> dict[str, Any]:
    return {"contents": [{"parts": [{"text": text}]}], "cachedContent": name} | fields
