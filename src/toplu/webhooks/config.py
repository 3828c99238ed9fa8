"""`webhookConfig` of a batch: addresses of its own in place of webhooks, and words to come back."""

from toplu.errors import InvalidArgument
from toplu.outbound.addresses import AddressGuard
from toplu.settings.outbound import WebhookSettings
from toplu.wire.gemini.message import write
from toplu.wire.gemini.webhook import WebhookConfig

URIS_MAX = 10
BYTES_MAX = 16 * 1024
FIELD = "batch.webhook_config"


def kept_config(config: WebhookConfig | None) -> bytes | None:
    """Return the config as a job keeps it."""
    return None if config is None else write(config)


def check_config(settings: WebhookSettings, config: WebhookConfig | None) -> None:
    """Raise InvalidArgument for addresses that will never do, or for too much of anything."""
    if config is None:
        return
    uris = config.uris or []
    if len(uris) > URIS_MAX:
        raise InvalidArgument(f"{FIELD}.uris: there are {len(uris)}, {URIS_MAX} are the most.")
    guard = AddressGuard(settings)
    for number, uri in enumerate(uris):
        guard.check_uri(uri, f"{FIELD}.uris[{number}]")
    if len(write(config)) > BYTES_MAX:
        raise InvalidArgument(f"{FIELD}: is longer than {BYTES_MAX} bytes.")
