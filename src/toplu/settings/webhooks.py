"""The settings of webhooks: who may be told that a batch has ended, and how long it is tried."""

import ipaddress
from pathlib import Path

import msgspec

from toplu.errors import ConfigurationError
from toplu.settings.bounds import HOUR, Positive, Seconds


class WebhookSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The places where webhooks may be, and the bounds of their deliveries."""

    plain_http: bool = False  # http:// may be told as well as https://
    # Of addresses that nobody else can reach (private, loopback, …): those that may be told.
    allowed_networks: tuple[str, ...] = ()
    # That secrets are sealed with; None: webhooks.key in the data folder, made when it is needed.
    key_file: Path | None = None
    per_project_max: Positive = 20
    tries_at_a_time: Positive = 4  # of each worker
    try_seconds_max: Seconds = 10.0  # until a receiver has answered
    retry_seconds: Seconds = 24 * HOUR  # a delivery is tried again for so long
    disabled_after_seconds: Seconds = 72 * HOUR  # of nothing but failures
    delivery_life_seconds: Seconds = 7 * 24 * HOUR  # ended deliveries are listed so long


def check_networks(settings: WebhookSettings) -> None:
    """Raise ConfigurationError if a network is none."""
    for network in settings.allowed_networks:
        try:
            ipaddress.ip_network(network)
        except ValueError as error:
            raise ConfigurationError(
                f"webhooks: allowed_networks: {error}; a network is written as 10.1.0.0/16, one "
                "address as 10.1.2.3"
            ) from error
