"""The `toplu` command and what its words do."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

from toplu import __version__
from toplu.cli import batches, keys, models, projects, search, usage
from toplu.cli.logs import configure_logs
from toplu.errors import ConfigurationError, TopluError
from toplu.settings.server import load

app = typer.Typer(
    help="The Gemini Batch API on your own models.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(batches.app, name="batches")
app.command("watch")(batches.watch)
app.add_typer(keys.app, name="keys")
app.add_typer(models.app, name="models")
app.add_typer(search.app, name="search")
app.add_typer(projects.app, name="projects")
app.command("usage")(usage.show_usage)


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Folder that holds everything.")] = None,
    config: Annotated[Path | None, typer.Option(help="TOML file with settings.")] = None,
) -> None:
    """Run the server until it is told to stop."""
    import uvloop

    from toplu.cli.serve import serve as run_server

    settings = load(config, overrides={"host": host, "port": port, "data_dir": data_dir})
    configure_logs(settings)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run_server(settings))


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


def main() -> None:
    """Run the command; an error of the operator's is one line and exit status 2."""
    try:
        app()
    except* (ConfigurationError, TopluError) as group:
        error = group.exceptions[0]
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        sys.stderr.write(f"toplu: {error}\n")
        sys.exit(2)


if __name__ == "__main__":
    main()
