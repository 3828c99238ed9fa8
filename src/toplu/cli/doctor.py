"""`toplu doctor` and `toplu init`: what is in the way here, and settings for what is here."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
import uvloop

from toplu.cli.options import ConfigOption
from toplu.cli.tables import JsonOption
from toplu.errors import ConfigurationError

if TYPE_CHECKING:
    from toplu.doctor.check import Check
    from toplu.settings.server import ModelSettings, Settings

FAULTY = 1


def doctor(
    *,
    data_dir: Annotated[Path | None, typer.Option(help="Folder that holds everything.")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Look for what is in the way of a server here, and say what mends it.

    Exit status 1: something does not work.
    """
    from toplu.cli.tables import print_table

    checks = uvloop.run(_checks(data_dir, config))
    if as_json:
        typer.echo(json.dumps({"checks": msgspec.to_builtins(checks)}, indent=2))
    else:
        rows = [(it.what, str(it.verdict), it.found, it.mend) for it in checks]
        print_table(("what", "", "found", "mend"), rows)
    if any(it.verdict == "fault" for it in checks):
        raise typer.Exit(FAULTY)


async def _checks(data_dir: Path | None, config: Path | None) -> "list[Check]":
    from toplu.clock import SystemClock
    from toplu.doctor.check import fault, fine
    from toplu.doctor.machine import check_machine
    from toplu.doctor.stored import check_stored
    from toplu.settings.load import load

    try:
        settings = load(config, overrides={"data_dir": data_dir})
    except ConfigurationError as error:
        return [fault("settings", str(error), "change it where it stands")]
    where = "the defaults" if config is None else str(config)
    checks = [fine("settings", f"{len(settings.models)} models, of {where}")]
    checks += check_machine(settings)
    checks += [check async for check in check_stored(settings, SystemClock())]
    return checks + [check async for check in _model_checks(settings)]


async def _model_checks(settings: "Settings") -> "AsyncIterator[Check]":
    """Look for the files of models, and ask servers of others what they can."""
    from toplu.cli.model_findings import findings_of
    from toplu.doctor.check import fault, fine, warning
    from toplu.models.file_checks import check_files
    from toplu.models.sources import locate

    for model in settings.models:
        if model.runs_server:
            yield _vllm_check(model)
            continue
        if model.is_remote:
            found = [it async for it in findings_of(model, settings)]
            answers = {it.server for it in found if it.is_answer}
            for server in (it.url for it in model.servers):
                told = "; ".join(f"{it.what}: {it.found}" for it in found if it.server == server)
                if server in answers:
                    yield fine(f"model {model.name}", f"{server}: {told}")
                else:
                    mend = "start the server, or change its url, model or key"
                    yield fault(f"model {model.name}", f"{server}: {told}", mend)
            continue
        try:
            await check_files([model], settings.model_dir)
        except ConfigurationError as error:
            mend = f"toplu models pull {model.name}, or another source"
            yield fault(f"model {model.name}", str(error), mend)
            continue
        if model.source is not None and locate(model, settings.model_dir) is None:
            mend = f"toplu models pull {model.name}; serve does it at its start"
            yield warning(f"model {model.name}", "its file is not here yet", mend)
        else:
            yield fine(f"model {model.name}", "its file is here and whole")


def _vllm_check(model: "ModelSettings") -> "Check":
    import shutil

    from toplu.doctor.check import fault, fine
    from toplu.models.repository import check_repository

    what, command = f"model {model.name}", model.vllm.command
    if shutil.which(command) is None:
        mend = "install vLLM, or set vllm.command to the program's path"
        return fault(what, f"there is no program {command}", mend)
    try:
        check_repository(model)
    except ConfigurationError as error:
        return fault(what, str(error), "set source to the folder of the model")
    return fine(what, f"{command} is here, and so is {model.source}, as far as toplu can see")


def init(
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="[GGUF]...", help="Model files to serve.")
    ] = None,
    *,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The file of settings to write.")
    ] = Path("toplu.toml"),
    force: Annotated[bool, typer.Option("--force", help="Write over a file.")] = False,
) -> None:
    """Write settings for what is found here: model servers, files that are named, hardware."""
    from toplu.doctor.first_settings import write_settings
    from toplu.doctor.found_models import find_servers, read_file
    from toplu.doctor.hardware import look_at_hardware

    if output.exists() and not force:
        raise ConfigurationError(f"{output}: is there already; --force writes over it")
    found = [*map(read_file, files or []), *find_servers()]
    hardware = look_at_hardware()
    text = write_settings(found, hardware, name=output.name)
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{output}: cannot be written: {error.strerror}") from error
    for model in found:
        where = model.path or f"{model.software} at {model.server}"
        typer.echo(f"{model.name}: {where}")
    if not found:
        typer.echo("no model server and no file: the small models that come with toplu will answer")
    typer.echo(f"{output} is written; go on with `toplu serve --config {output}`")
