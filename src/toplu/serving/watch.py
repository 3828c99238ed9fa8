"""The net below the bells: looks whether another process has committed and nobody rang."""

import asyncio
from datetime import timedelta

from toplu.batch.signals import Signals
from toplu.store.rows.changes import Changes

LOOK = timedelta(seconds=0.05)


async def watch(changes: Changes, signals: Signals) -> None:
    """Have every loop look for work when something has changed, until cancelled."""
    while True:
        await asyncio.sleep(LOOK.total_seconds())
        if changes.seen_alone():
            signals.hear_all()
