"""The `toplu` command. Each of its commands is imported when it is called."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from toplu.cli.lazy import LazyGroup
from toplu.errors import ConfigurationError, TopluError, Unavailable, first_of

app = typer.Typer(
    cls=LazyGroup,
    help="The Gemini Batch API on your own models.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Folder that holds everything.")] = None,
    config: Annotated[Path | None, typer.Option(help="TOML file with settings.")] = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes that work; 0: one process does everything.")
    ] = None,
) -> None:
    """Run the server until it is told to stop."""
    from toplu.serving.serve import run_server
    from toplu.settings.load import load

    given = {"host": host, "port": port, "data_dir": data_dir, "workers": workers}
    run_server(load(config, overrides=given))


@app.command()
def version() -> None:
    """Print the version."""
    from toplu import __version__

    typer.echo(__version__)


def main() -> None:
    """Run the command; an error of the operator's is one line and exit status 2.

    Exit status 3: the server that was asked does not answer.
    """
    try:
        app()
    except* Unavailable as group:
        sys.stderr.write(f"toplu: {first_of(group)}\n")
        sys.exit(3)
    except* (ConfigurationError, TopluError) as group:
        sys.stderr.write(f"toplu: {first_of(group)}\n")
        sys.exit(2)
    except* OSError as faults:
        from toplu.disk_faults import is_disk_fault

        fault = first_of(faults)
        if not is_disk_fault(fault):
            raise
        where = fault.filename or "the data folder"
        sys.stderr.write(f"toplu: {where}: cannot be written: {fault.strerror}\n")
        sys.exit(2)


if __name__ == "__main__":
    main()
