"""`toplu check`: what a file would be as a batch, before anything is asked."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from toplu.cli import run as run_command
from toplu.cli.client import KeyFileOption, read_key
from toplu.cli.run import option
from toplu.cli.tables import JsonOption

if TYPE_CHECKING:
    from toplu.oneshot.options import AskOptions

SOME_FAULTY, STOPPED = 1, 130

Measure = Annotated[
    str | None, option("Ask some rows first, for 30s or 2m: so price and time are known better.")
]


def check(
    source: run_command.Source,
    *,
    prompt: run_command.Prompt = None,
    prompt_file: run_command.PromptFile = None,
    system: run_command.System = None,
    schema: run_command.Schema = None,
    embed: run_command.Embed = None,
    image: run_command.Image = None,
    limit: run_command.Limit = None,
    model: run_command.Model = None,
    temperature: run_command.Temperature = None,
    max_tokens: run_command.MaxTokens = None,
    config: run_command.Config = None,
    server: run_command.ServerUrl = None,
    key_file: KeyFileOption = None,
    measure: Measure = None,
    as_json: JsonOption = False,
) -> None:
    """Say what a file would be as a batch: faults, tokens, duplicates, cost and time.

    Exit status: 0 all can be asked, 1 some lines are faulty, 2 wrong use, 3 a server was not
    reached, 130 stopped.
    """
    given = locals()  # named as the fields of AskOptions are
    found = _found(_options_of(given), _seconds_of(measure))
    if found is None:
        typer.echo("stopped", err=True)
        raise typer.Exit(STOPPED)
    if as_json:
        typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        _show(source, found)
    if int(found["faultyRequestCount"]):
        raise typer.Exit(SOME_FAULTY)


def _options_of(given: dict[str, Any]) -> "AskOptions":
    from toplu.oneshot.options import AskOptions

    fields = {name: value for name, value in given.items() if name not in ("as_json", "measure")}
    fields["prompt"] = run_command.read_prompt(fields["prompt"], fields.pop("prompt_file"))
    fields["key"] = None if fields["server"] is None else read_key(fields["key_file"])
    return AskOptions(**fields)


def _seconds_of(measure: str | None) -> float:
    from toplu.oneshot.stops import seconds_of

    return 0.0 if measure is None else seconds_of(measure)


def _found(options: "AskOptions", measured_seconds: float) -> dict[str, Any] | None:
    import uvloop

    from toplu.oneshot import check as oneshot
    from toplu.oneshot.plan import ask_plan_of

    plan = ask_plan_of(options, keeps_form=True, proves=False)
    return uvloop.run(oneshot.check(options, plan, measured_seconds=measured_seconds))


def _show(source: Path, found: dict[str, Any]) -> None:
    from toplu.cli.tables import print_table

    typer.echo(f"{source}: {_many(found['requestCount'])} requests to {found['answeredBy']}")
    for name, told in lines_of(found, datetime.now(UTC)):  # noqa: TID251  # beside the server's
        typer.echo(f"  {name:<16}{told}")
    if faults := found.get("faultyLines"):
        rows = [
            (str(it["lineNumber"]), str(it.get("key") or ""), it["error"]["message"].strip())
            for it in faults
        ]
        print_table(("Line", "Key", "Why"), rows, right={"Line"})
    for warning in found.get("warnings", []):
        typer.echo(f"note: {warning}", err=True)


def lines_of(found: dict[str, Any], now: datetime) -> list[tuple[str, str]]:
    """Return the figures for people, each with its name."""
    prompts, output = found["promptTokens"], found["outputTokens"]
    shared = found["sharedPrefixes"]
    counted = "all counted"
    if not prompts["exact"]:
        counted = (
            f"{_many(prompts['countedRequestCount'])} requests counted: "
            f"{_many(prompts['lowest'])} to {_many(prompts['highest'])}"
        )
    return [
        ("faulty", _many(found["faultyRequestCount"])),
        ("duplicates", f"{_many(found['duplicateRequestCount'])}, which cost nothing"),
        ("prompt tokens", f"{_many(prompts['tokenCount'])} ({counted})"),
        ("shared", f"{shared['promptShare']:.0%} of the prompts is read once"),
        ("output tokens", f"{_many(output['lowest'])} to {_many(output['highest'])}"),
        ("cost", _cost_of(found)),
        ("time", _time_of(found.get("expectedFinish"), now)),
    ]


def _cost_of(found: dict[str, Any]) -> str:
    cost, saved = found["expectedCost"], found["sharedPrefixes"]["savings"]["amount"]
    amounts = f"{cost['lowest']['amount']} to {cost['highest']['amount']}"
    prompts = cost["prompts"]
    return f"{amounts} {prompts['currency']}, the prompts {prompts['amount']}; saved {saved}"


def _time_of(finish: dict[str, str] | None, now: datetime) -> str:
    if finish is None:
        return "not known"
    ends = [datetime.fromisoformat(finish[name]) - now for name in ("earliest", "latest")]
    return " to ".join(_duration(max(0.0, end.total_seconds())) for end in ends)


def _duration(seconds: float) -> str:
    minutes, hours, days = seconds / 60, seconds / 3600, seconds / 86_400
    if minutes < 2:  # noqa: PLR2004  # of a unit, two at least are shown
        return f"{seconds:.0f} s"
    if hours < 2:  # noqa: PLR2004
        return f"{minutes:.0f} min"
    return f"{hours:.1f} h" if days < 2 else f"{days:.1f} days"  # noqa: PLR2004


def _many(count: str) -> str:
    return f"{int(count):,}"
