"""Webhooks that nobody is told by: their secrets do not open, or they failed for days."""

from collections.abc import AsyncIterator

from toplu.doctor.check import Check, fault, fine, warning
from toplu.errors import ConfigurationError
from toplu.settings.server import Settings
from toplu.store.rows.database import Database
from toplu.store.rows.webhook_secrets import SecretRows
from toplu.store.rows.webhooks import WebhookRows, WebhookState
from toplu.webhooks.vault import Sealed, Vault
from toplu.wiring.shared_parts import vault_of

WHAT = "webhooks"


async def check_webhooks(settings: Settings, database: Database) -> AsyncIterator[Check]:
    """Yield what is found; nothing where there is no webhook."""
    secrets = await SecretRows(database).newest_of_each()
    if not secrets:
        return
    vault = vault_of(settings)
    try:
        closed = _closed(vault, secrets)
    except ConfigurationError as error:
        yield fault(WHAT, str(error), "put back a copy of the file with the key")
        return
    if closed:
        yield fault(
            WHAT,
            f"{vault.keys} does not open the secrets of {len(closed)} of {len(secrets)}",
            "put back a copy of that key, or toplu webhooks rotate each",
        )
    failed = WebhookState.DISABLED_DUE_TO_FAILED_DELIVERIES
    if count := await WebhookRows(database).count_in(failed):
        mend = "toplu webhooks deliveries says why; toplu webhooks enable, when it is mended"
        yield warning(WHAT, f"{count} are disabled, after days of failures", mend)
    elif not closed:
        yield fine(WHAT, f"{len(secrets)}, whose secrets open")


def _closed(vault: Vault, secrets: dict[str, bytes]) -> list[str]:
    """Return the webhooks whose secrets do not open."""
    closed = []
    for webhook, secret in secrets.items():
        try:
            vault.open(secret)
        except Sealed:
            closed.append(webhook)
    return closed
