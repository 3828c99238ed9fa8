"""Fetches objects of S3 and of Google Cloud Storage, with the operator's own credentials.

They are found where the tools of those services have them: in the environment of the server, or
with the machine that it runs on.
"""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from urllib.parse import unquote, urlsplit

import structlog

from toplu.errors import FailedPrecondition
from toplu.outbound.fetched import Fetched, guessed_type, too_large
from toplu.settings.outbound import InputSettings
from toplu.wire.gemini.batch import InputOrigin

log = structlog.get_logger()

REASON_CHARACTERS_MAX = 500
RETRIES_MAX = 2


async def open_object(uri: str, settings: InputSettings) -> Fetched:
    """Return the object on its way here, or raise FailedPrecondition."""
    import obstore
    from obstore.exceptions import BaseError

    parts = urlsplit(uri)
    try:
        store = _store_of(f"{parts.scheme}://{parts.hostname}", settings)
        found = await obstore.get_async(store, unquote(parts.path).lstrip("/"))
    except FileNotFoundError:
        raise FailedPrecondition(f"{uri} cannot be fetched: it is not there.") from None
    except BaseError as fault:
        raise _refused(uri, fault) from None
    if found.meta["size"] > settings.bytes_max:
        raise too_large(uri, settings.bytes_max)

    async def chunks() -> AsyncIterator[bytes]:
        try:
            async for chunk in found.stream():
                yield bytes(chunk)
        except BaseError as fault:
            raise _refused(uri, fault) from None

    return Fetched(
        origin=InputOrigin(uri=uri, etag=found.meta.get("e_tag")),
        mime_type=found.attributes.get("Content-Type") or guessed_type(uri),
        chunks=chunks(),
    )


def _store_of(bucket: str, settings: InputSettings) -> Any:
    from obstore.store import GCSStore, S3Store

    longest = timedelta(seconds=settings.fetch_seconds_max)
    retries: Any = {"max_retries": RETRIES_MAX, "retry_timeout": longest}
    if bucket.startswith("gs://"):
        return GCSStore.from_url(bucket, client_options={"timeout": longest}, retry_config=retries)
    endpoint = settings.s3_endpoint
    is_plain = endpoint is not None and endpoint.startswith("http://")
    config: Any = {"region": settings.s3_region}
    return S3Store.from_url(
        bucket,
        config=config if endpoint is None else config | {"endpoint": endpoint},
        client_options={"timeout": longest, "allow_http": is_plain},
        retry_config=retries,
    )


def _refused(uri: str, fault: Exception) -> FailedPrecondition:
    # For the operator: the store may say of it what is not for clients.
    log.warning("object_not_fetched", uri=uri, reason=str(fault)[:REASON_CHARACTERS_MAX])
    return FailedPrecondition(f"{uri} cannot be fetched: its store refuses or does not answer.")
