"""Opens a bucket as the settings say; obstore is loaded here and only where there is one."""

import configparser
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from toplu.errors import ConfigurationError
from toplu.settings.storage.bucket import BucketSettings
from toplu.store.blobs.bucket import Bucket

if TYPE_CHECKING:
    from obstore.store import S3Config

RETRIES_MAX = 5
FIRST_PAUSE = timedelta(milliseconds=100)
LONGEST_PAUSE = timedelta(seconds=5)


def open_bucket(settings: BucketSettings) -> Bucket:
    """Return the bucket; nothing is asked of it yet."""
    try:
        from obstore.store import S3Store
    except ImportError:
        raise ConfigurationError(
            "bucket: needs a library that is not installed: pip install 'toplu[bucket]'"
        ) from None
    longest = timedelta(seconds=settings.call_seconds_max)
    endpoint = settings.endpoint
    store = S3Store(
        settings.name,
        prefix=settings.prefix,
        config=_config(settings),
        client_options={
            "timeout": longest,
            "connect_timeout": min(longest, LONGEST_PAUSE),
            # TLS wherever the address does not say otherwise.
            "allow_http": endpoint is not None and endpoint.startswith("http://"),
        },
        retry_config={
            "max_retries": RETRIES_MAX,
            "retry_timeout": longest,
            "backoff": {"init_backoff": FIRST_PAUSE, "max_backoff": LONGEST_PAUSE, "base": 2},
        },
    )
    return Bucket(store)


def _config(settings: BucketSettings) -> "S3Config":
    """Return where the store is, and the keys of the file; obstore finds others by itself."""
    config: S3Config = {"region": settings.region}
    if settings.endpoint is not None:
        config["endpoint"] = settings.endpoint
    path = settings.credentials_file
    if path is None:
        return config
    section = _read(path, settings.profile)
    for name in ("aws_access_key_id", "aws_secret_access_key"):
        if not section.get(name):
            raise ConfigurationError(f"{path}: [{settings.profile}] has no {name}")
    config["access_key_id"] = section["aws_access_key_id"]
    config["secret_access_key"] = section["aws_secret_access_key"]
    if "aws_session_token" in section:
        config["session_token"] = section["aws_session_token"]
    return config


def _read(path: Path, profile: str) -> dict[str, str]:
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from error
    except (configparser.Error, UnicodeDecodeError):
        # Not printed: it would have a line of the file in it.
        raise ConfigurationError(
            f"{path}: is no credentials file: it needs a line [{profile}], then "
            "aws_access_key_id = … and aws_secret_access_key = …"
        ) from None
    if not parser.has_section(profile):
        raise ConfigurationError(f"{path}: has no section [{profile}]")
    return dict(parser.items(profile))
