"""The settings of a bucket that has the bytes in the place of the data folder."""

import re
from pathlib import Path
from typing import Annotated

import msgspec

from toplu.errors import ConfigurationError
from toplu.settings.bounds import Seconds
from toplu.settings.hosts import address_fault

URL = re.compile(
    r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(?P<prefix>[\w.-]+(?:/[\w.-]+)*))?/?",
    re.ASCII,
)


class BucketSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The bucket, and how it is asked."""

    url: str  # s3://NAME, or s3://NAME/PREFIX where others have objects in it too
    endpoint: str | None = None  # https://… of a store that is not Amazon's
    region: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9-]{1,40}$")] = "us-east-1"
    # With keys, as AWS's tools write it; None: what the environment has (AWS_ACCESS_KEY_ID, …).
    credentials_file: Path | None = None
    profile: str = "default"  # the section of that file
    # Results become an object this far apart, or when there are eight megabytes: each costs a call.
    flush_seconds: Seconds = 2.0
    call_seconds_max: Seconds = 30.0  # for one try of a call, and for all tries together

    @property
    def name(self) -> str:
        """The name of the bucket."""
        return self._parts["bucket"]

    @property
    def prefix(self) -> str | None:
        """The part of all keys that is not ours."""
        return self._parts["prefix"]

    @property
    def _parts(self) -> re.Match[str]:
        parts = URL.fullmatch(self.url)
        assert parts is not None, "it was checked when it was read"
        return parts


def check_bucket(settings: BucketSettings) -> None:
    """Raise ConfigurationError if the address of the bucket, or of its store, is none."""
    if URL.fullmatch(settings.url) is None:
        # Not printed: it may have a password in it.
        raise ConfigurationError("bucket: url is no address such as s3://name or s3://name/prefix")
    if settings.endpoint is not None and (
        fault := address_fault(settings.endpoint, keys="credentials_file")
    ):
        raise ConfigurationError(f"bucket: endpoint {fault}")
