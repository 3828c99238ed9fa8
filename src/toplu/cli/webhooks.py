"""`toplu webhooks`: the webhooks of projects, what they were told, and the key of their secrets."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import typer

from toplu.cli.options import ConfigOption, DataDirOption
from toplu.cli.tables import JsonOption, print_records
from toplu.cli.webhook_records import (
    DELIVERY_COLUMNS,
    WEBHOOK_COLUMNS,
    delivery_record,
    moment,
    record_of,
)
from toplu.job import ProjectId, Wire

if TYPE_CHECKING:
    from toplu.webhooks.library import Delivery, Webhook, Webhooks

T = TypeVar("T")

app = typer.Typer(
    help="Make and look after webhooks: who is told when batches end.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

LISTED_MAX = 1000
ProjectOption = Annotated[str, typer.Option(help="The project that the webhook belongs to.")]
WebhookArgument = Annotated[str, typer.Argument(help="The webhook's id, as listed.")]


@app.command()
def create(
    uri: Annotated[str, typer.Argument(help="The address that is told, https://….")],
    event: Annotated[
        list[str] | None, typer.Option(help="An event to tell of; may be repeated. All by default.")
    ] = None,
    *,
    name: Annotated[str, typer.Option(help="A name for people.")] = "",
    api: Annotated[
        Literal["gemini", "openai"], typer.Option(help="Of whose batches it is told.")
    ] = "gemini",
    project: ProjectOption = "default",
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a webhook and print its secret, this once."""
    from toplu.webhooks.library import EVENTS

    wire = Wire(api.upper())

    async def make(webhooks: "Webhooks") -> tuple["Webhook", str]:
        return await webhooks.create(
            ProjectId(project), uri=uri, events=event or EVENTS[wire], name=name, wire=wire
        )

    webhook, secret = with_webhooks(data_dir, config, make)
    if as_json:
        typer.echo(json.dumps(record_of(webhook) | {"secret": secret}, indent=2))
        return
    typer.echo(f"webhook  {webhook.id}\nsecret   {secret}")


@app.command("list")
def list_webhooks(
    project: ProjectOption = "default",
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Show every webhook of a project, newest first."""

    async def look(webhooks: "Webhooks") -> list["Webhook"]:
        return (await webhooks.page(ProjectId(project), size=LISTED_MAX, token=None))[0]

    records = [record_of(each) for each in with_webhooks(data_dir, config, look)]
    print_records("webhooks", records, WEBHOOK_COLUMNS, as_json=as_json)


@app.command()
def get(
    webhook: WebhookArgument,
    project: ProjectOption = "default",
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Show one webhook, and its secrets by their ends."""

    async def look(webhooks: "Webhooks") -> dict[str, Any]:
        found = await webhooks.get(ProjectId(project), webhook)
        secrets = await webhooks.secrets_of(found)
        shown = [{"ends_with": it.hint, "expires": moment(it.expires)} for it in secrets]
        return record_of(found) | {"secrets": shown}

    record = with_webhooks(data_dir, config, look)
    if as_json:
        typer.echo(json.dumps(record, indent=2))
        return
    for name, value in record.items():
        typer.echo(f"{name}: {'' if value is None else value}")


@app.command()
def delete(
    webhook: WebhookArgument,
    project: ProjectOption = "default",
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Forget a webhook and all its deliveries."""
    _with_webhook(data_dir, config, project, webhook, lambda it, of: it.delete(of))
    typer.echo(f"deleted {webhook}")


@app.command()
def enable(
    webhook: WebhookArgument,
    project: ProjectOption = "default",
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Tell a webhook again that was disabled, by hand or by its failures."""
    _set_state(data_dir, config, project, webhook, "enabled")


@app.command()
def disable(
    webhook: WebhookArgument,
    project: ProjectOption = "default",
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Tell a webhook of nothing more; what waits for it is given up."""
    _set_state(data_dir, config, project, webhook, "disabled")


@app.command()
def ping(
    webhook: WebhookArgument,
    project: ProjectOption = "default",
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Have a running server send a test, once; `deliveries` shows what came of it."""
    sent = _with_webhook(data_dir, config, project, webhook, lambda it, of: it.ping(of))
    typer.echo(f"delivery {sent.id}")


@app.command()
def rotate(
    webhook: WebhookArgument,
    project: ProjectOption = "default",
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
    *,
    at_once: Annotated[
        bool, typer.Option("--at-once", help="End the secrets before it now, not in a day.")
    ] = False,
) -> None:
    """Make a new secret and print it, this once."""
    typer.echo(
        _with_webhook(
            data_dir,
            config,
            project,
            webhook,
            lambda it, of: it.rotate(of, keeps_others=not at_once),
        )
    )


@app.command()
def deliveries(
    webhook: Annotated[
        str | None, typer.Argument(help="The webhook's id; all of the project by default.")
    ] = None,
    project: ProjectOption = "default",
    limit: Annotated[int, typer.Option(min=1, max=LISTED_MAX, help="So many, the newest.")] = 50,
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Show what was told, and what is to be, newest first."""

    async def look(webhooks: "Webhooks") -> list["Delivery"]:
        of = None if webhook is None else await webhooks.get(ProjectId(project), webhook)
        found, _ = await webhooks.deliveries(ProjectId(project), size=limit, token=None, webhook=of)
        return found

    records = [delivery_record(each) for each in with_webhooks(data_dir, config, look)]
    print_records("deliveries", records, DELIVERY_COLUMNS, as_json=as_json, right=["attempts"])


@app.command()
def resend(
    delivery: Annotated[str, typer.Argument(help="The delivery's id, as listed.")],
    project: ProjectOption = "default",
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Have a running server send a delivery again, under the same id."""

    async def send(webhooks: "Webhooks") -> None:
        await webhooks.resend(await webhooks.delivery(ProjectId(project), delivery))

    with_webhooks(data_dir, config, send)
    typer.echo(f"will be sent again: {delivery}")


@app.command()
def rekey(data_dir: DataDirOption = None, config: ConfigOption = None) -> None:
    """Seal every secret with a new key, and forget the old one; a server may run meanwhile."""
    from toplu.settings.load import load
    from toplu.wiring.admin import rekey_secrets

    count = asyncio.run(rekey_secrets(load(config, overrides={"data_dir": data_dir})))
    typer.echo(f"sealed {count} again")


def with_webhooks(
    data_dir: Path | None, config: Path | None, work: Callable[["Webhooks"], Awaitable[T]]
) -> T:
    """Return what the work with the webhooks of the data folder returns."""
    from toplu.settings.load import load
    from toplu.wiring.admin import open_webhooks

    async def run() -> T:
        async with open_webhooks(load(config, overrides={"data_dir": data_dir})) as webhooks:
            return await work(webhooks)

    return asyncio.run(run())


def _with_webhook(
    data_dir: Path | None,
    config: Path | None,
    project: str,
    webhook: str,
    work: Callable[["Webhooks", "Webhook"], Awaitable[T]],
) -> T:
    async def run(webhooks: "Webhooks") -> T:
        return await work(webhooks, await webhooks.get(ProjectId(project), webhook))

    return with_webhooks(data_dir, config, run)


def _set_state(
    data_dir: Path | None, config: Path | None, project: str, webhook: str, state: str
) -> None:
    _with_webhook(
        data_dir, config, project, webhook, lambda it, of: it.update(of, {"state": state})
    )
    typer.echo(f"{webhook} is {state}")
