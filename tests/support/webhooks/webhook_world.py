"""Webhooks over a real database in a temporary folder, their courier stepped by hand."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.fake_clock import FakeClock
from support.store.migrated import open_migrated
from support.store.rows import PROJECT, a_job
from toplu.job import Job, JobState
from toplu.settings.outbound import WebhookSettings
from toplu.store.rows.database import Database
from toplu.store.rows.deliveries import Delivery, DeliveryRows
from toplu.store.rows.jobs import JobRows
from toplu.store.rows.webhook_secrets import SecretRows
from toplu.store.rows.webhooks import Webhook, WebhookRows
from toplu.webhooks.courier import Courier
from toplu.webhooks.key_set import KeySet
from toplu.webhooks.library import Webhooks
from toplu.webhooks.sender import Sender
from toplu.webhooks.vault import Vault

HERE = ("127.0.0.0/8",)
ALL = ("batch.succeeded", "batch.failed", "batch.expired", "batch.cancelled")


@dataclass
class WebhookWorld:
    database: Database
    folder: Path
    settings: WebhookSettings
    clock: FakeClock = field(default_factory=FakeClock)
    told: int = 0

    @classmethod
    async def open(cls, folder: Path, **settings: Any) -> "WebhookWorld":
        """Open it; receivers on this machine may be told, unless the settings say otherwise."""
        usual = {"plain_http": True, "allowed_networks": HERE}
        return cls(
            database=await open_migrated(folder / "toplu.db"),
            folder=folder,
            settings=WebhookSettings(**usual | settings),
        )

    async def close(self) -> None:
        await self.database.close()

    @property
    def jobs(self) -> JobRows:
        return JobRows(self.database)

    @property
    def deliveries(self) -> DeliveryRows:
        return DeliveryRows(self.database)

    @property
    def secrets(self) -> SecretRows:
        return SecretRows(self.database)

    @property
    def vault(self) -> Vault:
        return Vault(self.folder / "webhooks.key")

    def library(self) -> Webhooks:
        def note() -> None:
            self.told += 1

        return Webhooks(
            settings=self.settings,
            clock=self.clock,
            rows=WebhookRows(self.database),
            secrets=self.secrets,
            deliveries=self.deliveries,
            vault=self.vault,
            told=note,
        )

    def key_set(self) -> KeySet:
        return KeySet(clock=self.clock, rows=self.secrets, vault=self.vault, issuer="toplu")

    def courier(self, worker: str = "server-1") -> Courier:
        return Courier(
            settings=self.settings,
            clock=self.clock,
            rows=self.deliveries,
            secrets=self.secrets,
            vault=self.vault,
            key_set=self.key_set(),
            sender=Sender(self.settings),
            worker=worker,
        )

    async def webhook(self, uri: str, **values: Any) -> tuple[Webhook, str]:
        return await self.library().create(PROJECT, uri=uri, **{"events": ALL} | values)

    async def end_job(
        self, name: str = "one", state: JobState = JobState.CANCELLED, **changes: Any
    ) -> Job:
        await self.jobs.create(a_job(name, **changes), unfinished_max=1000)
        ended = await self.jobs.move(a_job(name).id, state, self.clock.now())
        assert ended is not None
        return ended

    async def the_deliveries(self) -> list[Delivery]:
        """Return all deliveries of the project, the oldest first."""
        found = await self.deliveries.page(PROJECT, 1000)
        return found[::-1]

    async def the_delivery(self) -> Delivery:
        (delivery,) = await self.the_deliveries()
        return delivery
