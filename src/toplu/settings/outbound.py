"""The settings of what is asked by address: webhooks that are told, inputs that are fetched."""

import ipaddress
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

import msgspec

from toplu.errors import ConfigurationError
from toplu.settings.bounds import HOUR, MIB, Positive, Seconds

# Of objects in the operator's stores, which are asked with the operator's credentials.
OBJECT_SCHEMES = ("s3", "gs")


class WebhookSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The places where webhooks may be, and the bounds of their deliveries."""

    plain_http: bool = False  # http:// may be told as well as https://
    # Of addresses that nobody else can reach (private, loopback, …): those that may be told.
    allowed_networks: tuple[str, ...] = ()
    # That secrets are sealed with; None: one derived from the cluster's secret, or where there is
    # none webhooks.key in the data folder, made when it is needed.
    key_file: Path | None = None
    per_project_max: Positive = 20
    tries_at_a_time: Positive = 4  # of each worker
    try_seconds_max: Seconds = 10.0  # until a receiver has answered
    retry_seconds: Seconds = 24 * HOUR  # a delivery is tried again for so long
    disabled_after_seconds: Seconds = 72 * HOUR  # of nothing but failures
    delivery_life_seconds: Seconds = 7 * 24 * HOUR  # ended deliveries are listed so long


class InputSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The addresses that may be fetched, and the bounds of that."""

    # https://data.example.com/{project}/ is all below it, and one without a slash at its end that
    # address alone; {project} stands for the project that asks. None: nothing is fetched.
    allow: tuple[str, ...] = ()
    plain_http: bool = False  # http:// may be listed as well as https://
    # Of addresses that nobody else can reach (private, loopback, …): those that may be fetched.
    allowed_networks: tuple[str, ...] = ()
    bytes_max: Positive = 100 * MIB
    fetch_seconds_max: Seconds = 60.0
    fetches_at_a_time: Positive = 4  # of each process
    s3_endpoint: str | None = None  # https://… of a store for s3:// that is not Amazon's
    s3_region: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9-]{1,40}$")] = "us-east-1"
    fresh_seconds: Seconds = 60.0  # what a request names is not fetched again for so long


def check_networks(of: str, networks: tuple[str, ...]) -> None:
    """Raise ConfigurationError if a network is none; `of` is the table that lists it."""
    for network in networks:
        try:
            ipaddress.ip_network(network)
        except ValueError as error:
            raise ConfigurationError(
                f"{of}: allowed_networks: {error}; a network is written as 10.1.0.0/16, one "
                "address as 10.1.2.3"
            ) from error


def check_allowed(settings: InputSettings) -> None:
    """Raise ConfigurationError if an entry is no address that can be fetched."""
    schemes = ("https", *OBJECT_SCHEMES, *(("http",) if settings.plain_http else ()))
    for entry in settings.allow:
        parts = _parts_of(entry)
        if parts is None or parts.query or parts.fragment or parts.username:
            raise ConfigurationError(
                f"inputs: allow: {entry} is no address; one is written as "
                "https://data.example.com/{project}/"
            )
        if parts.scheme not in schemes:
            raise ConfigurationError(
                f"inputs: allow: {entry}: what is fetched begins with "
                f"{', '.join(f'{it}://' for it in schemes)}"
            )
        if parts.scheme in OBJECT_SCHEMES and find_spec("obstore") is None:
            raise ConfigurationError(
                f"inputs: allow: {entry} needs a library that is not installed: "
                "pip install 'toplu[bucket]'"
            )
        if "{project}" in parts.netloc:
            raise ConfigurationError(f"inputs: allow: {entry}: {{project}} may stand in the path")


def _parts_of(entry: str) -> SplitResult | None:
    try:
        parts = urlsplit(entry)
        is_whole = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return None
    return parts if is_whole else None
