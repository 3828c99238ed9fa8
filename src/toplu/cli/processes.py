"""`toplu api`, `toplu worker`, `toplu migrate`: the processes of a server, each by itself."""

from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer
import uvloop

from toplu.cli.options import ConfigOption
from toplu.serving.records.logs import configure_logs
from toplu.serving.records.traces import configure_traces
from toplu.settings.load import load
from toplu.settings.server import Settings

DataDir = Annotated[Path | None, typer.Option(help="Folder that holds everything.")]


def api(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.")] = None,
    data_dir: DataDir = None,
    config: ConfigOption = None,
) -> None:
    """Answer calls, beside workers that are run by themselves."""
    from toplu.serving.alone import run_api_alone

    settings = load(config, overrides={"host": host, "port": port, "data_dir": data_dir})
    _run(settings, run_api_alone(settings), "api")


def worker(
    models: Annotated[
        str, typer.Option(help="Models to own a replica of, with commas; all if none is named.")
    ] = "",
    data_dir: DataDir = None,
    config: ConfigOption = None,
) -> None:
    """Work on batches and calls, beside an api that is run by itself."""
    from toplu.serving.alone import run_worker_alone

    settings = load(config, overrides={"data_dir": data_dir})
    names = [name.strip() for name in models.split(",") if name.strip()]
    _run(settings, run_worker_alone(settings, names), "worker")


def migrate(data_dir: DataDir = None, config: ConfigOption = None) -> None:
    """Bring a data folder up to date for this version, while nothing runs on it."""
    from toplu.serving.alone import migrate as bring_up_to_date

    settings = load(config, overrides={"data_dir": data_dir})
    _run(settings, bring_up_to_date(settings), "migrate")


def _run(settings: Settings, work: Coroutine[Any, Any, None], process: str) -> None:
    configure_logs(settings)
    configure_traces(settings, process=process)
    uvloop.run(work)
