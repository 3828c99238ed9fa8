"""Clients of a server that speaks plain HTTP.

Nothing here speaks TLS, and reading the machine's certificates takes longer than most tests.
"""

import ssl

import httpx2 as httpx
from google import genai

from support.waiting import PATIENCE_SECONDS

NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def sdk_client(url: str, key: str = "any") -> genai.Client:
    """Return Google's SDK before the server at `url`."""
    return genai.Client(
        api_key=key,
        http_options={
            "base_url": url,
            "client_args": {"verify": NO_CERTIFICATES},
            "async_client_args": {"verify": NO_CERTIFICATES, "ssl": NO_CERTIFICATES},
        },
    )


def http_client(url: str, key: str | None = "any") -> httpx.Client:
    """Return a client for raw HTTP, which reads states as the SDKs spell them."""
    headers = {"X-Toplu-State-Style": "job"} | ({} if key is None else {"x-goog-api-key": key})
    return httpx.Client(
        base_url=url, headers=headers, verify=NO_CERTIFICATES, timeout=PATIENCE_SECONDS
    )
