"""Builds the parts of a worker that tell webhooks."""

from toplu.webhooks.courier import Courier
from toplu.webhooks.sender import Sender
from toplu.wiring.shared_parts import SharedParts


def build_couriers(parts: SharedParts, worker: str) -> list[Courier]:
    """Return as many as may try at a time; they send from one place."""
    settings = parts.settings.webhooks
    sender = Sender(settings)
    return [
        Courier(
            settings=settings,
            clock=parts.clock,
            rows=parts.storage.deliveries,
            secrets=parts.storage.secrets,
            vault=parts.vault,
            key_set=parts.key_set,
            sender=sender,
            worker=worker,
        )
        for _ in range(settings.tries_at_a_time)
    ]
