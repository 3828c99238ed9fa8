"""`toplu run`: a file in, a file out."""

from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from toplu.cli.client import KeyFileOption, read_key
from toplu.errors import ConfigurationError, Unavailable, first_of

if TYPE_CHECKING:
    from toplu.oneshot.options import RunOptions

NOT_REACHED, STOPPED = 3, 130


def option(told: str, *names: str, **bounds: Any) -> Any:
    """Return an option with its help."""
    return typer.Option(*names, help=told, **bounds)


Source = Annotated[
    Path, typer.Argument(metavar="IN", help=".csv, .tsv, .jsonl, .parquet, or lines of text.")
]
Output = Annotated[Path, option(".csv, .tsv, .jsonl or .parquet.", "--output", "-o")]
Prompt = Annotated[str | None, option('What to ask of each row: "Translate {title}: {text}".')]
PromptFile = Annotated[Path | None, option("A file with the prompt.")]
System = Annotated[str | None, option("What the model is told first.")]
Schema = Annotated[Path | None, option("A JSON schema; the fields of answers become columns.")]
Embed = Annotated[str | None, option("Make vectors of this column.")]
Image = Annotated[str | None, option("Show the images whose paths are in this column.")]
Limit = Annotated[int | None, option("Only the first rows.", min=1)]
Model = Annotated[
    str | None, option("A name of the catalogue, a GGUF file, or the URL of a server (…/v1).")
]
Temperature = Annotated[float | None, option("0: the same answer again.", min=0, max=2)]
Seed = Annotated[int | None, option("Of the draw of tokens.")]
MaxTokens = Annotated[int | None, option("Of an answer.", min=1)]
MaxCost = Annotated[str | None, option("End when so much is spent, in the server's currency.")]
TimeLimit = Annotated[str | None, option("End in order within 3:50:00, 90m or 2h; status 75.")]
Prefix = Annotated[str, option("Put before the names of new columns.")]
Config = Annotated[Path | None, option("TOML file with settings.")]
ServerUrl = Annotated[str | None, option("A running toplu, in place of a private one.")]
RunDir = Annotated[
    Path | None, option("Where a run is kept until it is done; beside the output if not named.")
]
Quiet = Annotated[bool, option("Show no progress.", "--quiet", "-q")]


def run(
    source: Source,
    *,
    output: Output,
    prompt: Prompt = None,
    prompt_file: PromptFile = None,
    system: System = None,
    schema: Schema = None,
    embed: Embed = None,
    image: Image = None,
    limit: Limit = None,
    model: Model = None,
    temperature: Temperature = None,
    seed: Seed = None,
    max_tokens: MaxTokens = None,
    max_cost: MaxCost = None,
    time_limit: TimeLimit = None,
    prefix: Prefix = "",
    config: Config = None,
    server: ServerUrl = None,
    key_file: KeyFileOption = None,
    run_dir: RunDir = None,
    quiet: Quiet = False,
) -> None:
    """Ask each row of a file, and write the file with the answers.

    The same command goes on where an earlier one was stopped or killed. Exit status: 0 done, 1 some
    rows failed, 2 wrong use, 3 a server was not reached, 75 time limit, 130 stopped.
    """
    given = locals()  # named as the fields of RunOptions are
    try:
        code = _run(_options_of(given), quiet=quiet)
    except KeyboardInterrupt:
        typer.echo("stopped before anything was asked", err=True)
        code = STOPPED
    raise typer.Exit(code)


def _options_of(given: dict[str, Any]) -> "RunOptions":
    from toplu.oneshot.options import RunOptions
    from toplu.oneshot.stops import seconds_of

    fields = {name: value for name, value in given.items() if name != "quiet"}
    fields["prompt"] = read_prompt(fields["prompt"], fields.pop("prompt_file"))
    fields["max_cost"] = _amount(fields["max_cost"])
    limit = fields.pop("time_limit")
    fields["seconds_max"] = None if limit is None else seconds_of(limit)
    fields["key"] = None if fields["server"] is None else read_key(fields["key_file"])
    return RunOptions(**fields)


def _run(options: "RunOptions", *, quiet: bool) -> int:
    import uvloop

    from toplu.oneshot import run as oneshot
    from toplu.oneshot.plan import plan_of
    from toplu.oneshot.progress import shown

    plan = plan_of(options)
    try:
        with shown(quiet=quiet) as progress:
            end = uvloop.run(oneshot.run(plan, progress))
    except* Unavailable as group:
        reason = str(first_of(group)).rstrip(".")
        typer.echo(f"toplu: {reason}; start the same command again to go on", err=True)
        raise typer.Exit(NOT_REACHED) from None
    if not quiet or end.code:
        typer.echo(end.message, err=True)
    return int(end.code)


def read_prompt(prompt: str | None, file: Path | None) -> str | None:
    """Return the prompt, of the command line or of a file; ConfigurationError: of both."""
    if file is None:
        return prompt
    if prompt is not None:
        raise ConfigurationError("--prompt and --prompt-file do not go together")
    try:
        return file.read_text(encoding="utf-8").removesuffix("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file}: cannot be read as a prompt: {error}") from error


def _amount(text: str | None) -> Decimal | None:
    if text is None:
        return None
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal(0)
    if not amount.is_finite() or amount <= 0:
        raise ConfigurationError(f"--max-cost `{text}`: is no amount of money, such as 2.50")
    return amount
