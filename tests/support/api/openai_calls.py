"""OpenAI's SDK before a server in the test's process, and answers held to its types."""

from typing import Any, TypeVar

import httpx2 as httpx
import openai
from pydantic import BaseModel

from support.api.local_server import LocalServer
from support.clients import NO_CERTIFICATES
from support.waiting import PATIENCE_SECONDS

CHAT_MODEL = "gemini-2.5-flash"
EMBEDDING_MODEL = "gemini-embedding-001"
M = TypeVar("M", bound=BaseModel)


def openai_client(server: LocalServer, *, path: str = "/openai/v1", key: str = "any") -> Any:
    """Return OpenAI's SDK as its users have it; it does not try again."""
    return openai.OpenAI(
        base_url=server.url + path,
        api_key=key,
        max_retries=0,
        timeout=PATIENCE_SECONDS,
        http_client=openai.DefaultHttpxClient(verify=NO_CERTIFICATES),
    )


def openai_http(server: LocalServer, key: str = "any") -> httpx.Client:
    """Return a client for raw calls of OpenAI's API."""
    return httpx.Client(
        base_url=f"{server.url}/openai/v1",
        headers={"Authorization": f"Bearer {key}"},
        verify=NO_CERTIFICATES,
        timeout=PATIENCE_SECONDS,
    )


def strictly(kind: type[M], body: Any) -> M:
    """Return the body as the SDK's type with every field proved, which the SDK does not do."""
    return kind.model_validate(body, strict=True)


def user(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]
