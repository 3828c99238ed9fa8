"""`toplu models`: what the catalogue has, and whether its files are here."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from toplu.cli.tables import print_table
from toplu.errors import ConfigurationError

app = typer.Typer(
    help="List the catalogue and fetch model files.", no_args_is_help=True, rich_markup_mode=None
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
    model = next((model for model in settings.models if model.name == name), None)
    if model is None:
        names = ", ".join(model.name for model in settings.models)
        raise ConfigurationError(f"{name} is not in the catalogue, which has: {names}")
    for each in (model, projector_of(model)):
        if each is None:
            continue
        with Progress(transient=True) as progress:
            progress.add_task(f"fetching {name}", total=None)
            file = asyncio.run(fetch(each, settings))
        typer.echo(f"{name}: {file}")
