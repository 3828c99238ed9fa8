"""`toplu models`: the catalogue, the files of its models, and what these can do."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from toplu.cli.tables import print_table
from toplu.errors import ConfigurationError

if TYPE_CHECKING:
    from toplu.settings.server import ModelSettings, Settings

app = typer.Typer(
    help="List the catalogue, fetch model files and ask models.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

ConfigOption = Annotated[Path | None, typer.Option(help="TOML file with settings.")]


@app.command("list")
def list_models(config: ConfigOption = None) -> None:
    """Show the models, the names they answer to and whether their files are here."""
    from toplu.models import sources
    from toplu.settings.load import load

    settings = load(config)
    rows: list[tuple[str, ...]] = []
    for model in settings.models:
        projector = sources.projector_of(model)
        files = [
            sources.locate(each, settings.model_dir)
            for each in (model, projector)
            if each is not None
        ]
        here = "not needed" if model.source is None else "here" if all(files) else "missing"
        names = ", ".join(model.aliases)
        rows.append((model.name, names, model.engine, model.source or "", here))
    print_table(("name", "answers to", "engine", "source", "file"), rows)


@app.command("test")
def ask_models(
    name: Annotated[str | None, typer.Argument(help="A catalogue name; all if none.")] = None,
    config: ConfigOption = None,
) -> None:
    """Ask each model, and show what was found out; exit status 1 if one does not answer."""
    from toplu.cli.model_findings import Finding, findings_of
    from toplu.serving.logs import configure_logs
    from toplu.settings.load import load

    settings = load(config)
    configure_logs(msgspec.structs.replace(settings, log_level="error"))
    models = settings.models if name is None else [_named(name, settings)]

    async def ask_all() -> list[tuple[str, list[Finding]]]:
        return [
            (model.name, [finding async for finding in findings_of(model, settings)])
            for model in models
        ]

    found = asyncio.run(ask_all())
    rows = [(model, each.server, each.what, each.found) for model, all_ in found for each in all_]
    print_table(("model", "server", "what", "found"), rows)
    if any(not any(each.is_answer for each in findings) for _, findings in found):
        raise typer.Exit(1)


@app.command()
def pull(
    name: Annotated[str, typer.Argument(help="The model's catalogue name.")],
    config: ConfigOption = None,
) -> None:
    """Fetch a model's files and check them; does nothing when they are here."""
    from rich.progress import Progress

    from toplu.models.fetching import pull as fetch
    from toplu.models.sources import projector_of
    from toplu.settings.load import load

    settings = load(config)
    model = _named(name, settings)
    for each in (model, projector_of(model)):
        if each is None:
            continue
        with Progress(transient=True) as progress:
            progress.add_task(f"fetching {name}", total=None)
            file = asyncio.run(fetch(each, settings))
        typer.echo(f"{name}: {file}")


def _named(name: str, settings: "Settings") -> "ModelSettings":
    model = next((model for model in settings.models if model.name == name), None)
    if model is None:
        names = ", ".join(model.name for model in settings.models)
        raise ConfigurationError(f"{name} is not in the catalogue, which has: {names}")
    return model
