"""Uploads a file piece by piece; a connection that breaks costs the piece that was on its way."""

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toplu.errors import ConfigurationError, Unavailable

if TYPE_CHECKING:
    from toplu.cli.client import Client

PIECE_BYTES = 8 * 1024 * 1024
TRIES_MAX = 5  # of one piece
MIME_TYPE = "application/jsonl"
SIZE_RECEIVED = "X-Goog-Upload-Size-Received"


async def upload(client: "Client", path: Path, *, sent: Callable[[int, int], None]) -> str:
    """Return the name of the kept file; `sent` is told how many bytes of all have arrived."""
    try:
        with await asyncio.to_thread(path.open, "rb") as file:
            size = file.seek(0, os.SEEK_END)
            return await _send(client, path.name, file, size, sent)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from error


async def _send(
    client: "Client", name: str, file: Any, size: int, sent: Callable[[int, int], None]
) -> str:
    session = await _start(client, name, size)
    offset, tries = 0, 0
    while True:
        file.seek(offset)
        piece = file.read(PIECE_BYTES)
        ends = offset + len(piece) >= size
        command = "upload, finalize" if ends else "upload"
        headers = {"X-Goog-Upload-Offset": str(offset), "X-Goog-Upload-Command": command}
        try:
            answer = await client.exchange("POST", session, headers=headers, data=piece)
        except Unavailable:
            tries += 1
            if tries == TRIES_MAX:
                raise
            offset = await _received(client, session, offset)
            continue
        tries = 0
        offset += len(piece)
        sent(offset, size)
        if ends:
            return str(answer.body["file"]["name"])


async def _start(client: "Client", name: str, size: int) -> str:
    """Return the path of a new session."""
    started = await client.exchange(
        "POST",
        "upload/v1beta/files",
        headers={
            "X-Goog-Upload-Protocol": "resumable",
            "X-Goog-Upload-Command": "start",
            "X-Goog-Upload-Header-Content-Length": str(size),
            "X-Goog-Upload-Header-Content-Type": MIME_TYPE,
        },
        json={"file": {"displayName": name}},
    )
    # The session's own part of the address: the server may be known by another name out there.
    return "upload/v1beta/files?" + started.headers["X-Goog-Upload-URL"].partition("?")[2]


async def _received(client: "Client", session: str, offset: int) -> int:
    """Return how many bytes the server has; if it cannot be asked, as many as before."""
    try:
        answer = await client.exchange("POST", session, headers={"X-Goog-Upload-Command": "query"})
    except Unavailable:
        return offset
    return int(answer.headers.get(SIZE_RECEIVED, offset))


def show_sent(sent: int, size: int) -> None:
    """Say how far an upload is, to people alone."""
    if sys.stderr.isatty():
        end = "\n" if sent >= size else ""
        sys.stderr.write(f"\ruploaded {sent / 1e6:.0f} of {size / 1e6:.0f} MB{end}")
