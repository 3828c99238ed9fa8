"""`toplu batches`: see, watch, end and run again the batches of a running server."""

import json
import sys
from pathlib import Path
from typing import Annotated, BinaryIO
from urllib.parse import quote

import typer

from toplu.cli.client import (
    DEFAULT_URL,
    Client,
    KeyFileOption,
    UrlOption,
    opened,
    pour,
    save,
    with_client,
)
from toplu.cli.tables import JsonOption, print_table
from toplu.cli.upload import show_sent, upload
from toplu.cli.verify import verify
from toplu.cli.watch import COLUMNS, Operation, cells_of
from toplu.cli.watch import watch as follow
from toplu.errors import ConfigurationError

FOLLOW_SECONDS = 15  # of one call, within what a client waits for bytes

app = typer.Typer(
    help="Work with the batches of a running server.", no_args_is_help=True, rich_markup_mode=None
)

NameArgument = Annotated[str, typer.Argument(help="The batch: batches/ID, or the ID alone.")]


@app.command()
def create(
    file: Annotated[Path, typer.Argument(help="JSON lines, each a request.")],
    *,
    model: Annotated[str, typer.Option(help="The model to ask, by a name that the server knows.")],
    display_name: Annotated[str | None, typer.Option(help="What to call the batch.")] = None,
    embed: Annotated[bool, typer.Option("--embed", help="The lines ask for embeddings.")] = False,
    reuse: Annotated[
        bool, typer.Option("--reuse", help="Share answers with such batches of the project.")
    ] = False,
    url: UrlOption = DEFAULT_URL,
    key_file: KeyFileOption = None,
) -> None:
    """Upload a file, make a batch of it, and print its name."""
    method = "asyncBatchEmbedContent" if embed else "batchGenerateContent"

    async def make(client: Client) -> str:
        name = await upload(client, file, sent=show_sent)
        batch = {"displayName": display_name or file.name, "inputConfig": {"fileName": name}}
        path = f"v1beta/models/{quote(model)}:{method}"
        headers = {"X-Toplu-Reuse": "project"} if reuse else {}
        created = await client.exchange("POST", path, headers=headers, json={"batch": batch})
        return str(created.body["name"])

    typer.echo(with_client(url, key_file, make))


@app.command("list")
def list_batches(
    url: UrlOption = DEFAULT_URL, key_file: KeyFileOption = None, as_json: JsonOption = False
) -> None:
    """Show the project's batches, newest first."""
    found = with_client(url, key_file, lambda client: client.all("batches"))
    if as_json:
        typer.echo(json.dumps({"operations": found}, indent=2, ensure_ascii=False))
        return
    print_table(COLUMNS, map(cells_of, found))


@app.command()
def get(
    name: NameArgument,
    url: UrlOption = DEFAULT_URL,
    key_file: KeyFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one batch: how far it is, what it waits for, what it costs."""
    found = with_client(url, key_file, lambda client: client.call("GET", _path(name)))
    if as_json:
        typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    print_table(COLUMNS, [cells_of(found)])


@app.command()
def watch(
    names: Annotated[
        list[str] | None, typer.Argument(help="Batches; all that are unfinished if none is named.")
    ] = None,
    url: UrlOption = DEFAULT_URL,
    key_file: KeyFileOption = None,
) -> None:
    """Show what batches wait for until they end; exit status 1 if one of them did not succeed."""

    async def show(client: Client) -> list[Operation]:
        wanted = [_path(name) for name in names or []]
        if not wanted:
            wanted = [it["name"] for it in await client.all("batches") if not it["done"]]
        return await follow(client, wanted)

    ended = with_client(url, key_file, show)
    if not ended:
        typer.echo("no batch is unfinished", err=True)
    if any("error" in it for it in ended):
        raise typer.Exit(1)


@app.command()
def results(
    name: NameArgument,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A file, else standard output.")
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on as results come, until the batch has ended.")
    ] = False,
    url: UrlOption = DEFAULT_URL,
    key_file: KeyFileOption = None,
) -> None:
    """Write the results so far, one JSON line for each request that has one."""
    path = _path(name)

    async def watch_for_more(client: Client, target: BinaryIO) -> str:
        after, count, has_ended = "", 0, False
        while not has_ended:
            query = f"wait={FOLLOW_SECONDS}&after={quote(after)}"
            async with client.lines(f"{path}:results?{query}") as answer:
                await pour(answer, target)
                after = answer.headers["X-Toplu-Next"]
                count += int(answer.headers["X-Toplu-Result-Count"])
                has_ended = answer.headers["X-Toplu-Ended"] == "true"
        return f"{count} results, the batch has ended"

    async def copy(client: Client) -> str:
        if follow:
            with opened(output) as target:
                return await watch_for_more(client, target)
        async with client.lines(f"{path}:results") as answer:
            if output is None:
                await pour(answer, sys.stdout.buffer)
            else:
                await save(answer, output)
            whole = answer.headers.get("X-Toplu-Complete") == "true"
            count = answer.headers.get("X-Toplu-Result-Count", "?")
            return f"{count} results, {'all there are' if whole else 'more are missing'}"

    typer.echo(with_client(url, key_file, copy), err=True)


@app.command()
def retry(
    name: NameArgument,
    display_name: Annotated[str | None, typer.Option(help="What to call the new batch.")] = None,
    merge: Annotated[
        bool, typer.Option("--merge", help="Have one output, with the results that there are.")
    ] = False,
    url: UrlOption = DEFAULT_URL,
    key_file: KeyFileOption = None,
) -> None:
    """Run what failed or was not reached again, and print the name of the new batch."""
    body: dict[str, object] = {"merge": True} if merge else {}
    if display_name is not None:
        body["displayName"] = display_name

    async def make(client: Client) -> str:
        created = await client.call("POST", f"{_path(name)}:retry", body)
        return str(created["name"])

    typer.echo(with_client(url, key_file, make))


@app.command()
def receipt(
    name: NameArgument, url: UrlOption = DEFAULT_URL, key_file: KeyFileOption = None
) -> None:
    """Print the receipt of a batch that has ended; exit status 1 if it does not balance."""
    found = with_client(url, key_file, lambda client: client.call("GET", f"{_path(name)}:receipt"))
    typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
    if found["balances"] is not True:
        raise typer.Exit(1)


@app.command("verify")
def verify_batch(
    name: NameArgument,
    sample: Annotated[int, typer.Option(min=1, max=1000, help="So many lines, any.")] = 50,
    url: UrlOption = DEFAULT_URL,
    key_file: KeyFileOption = None,
) -> None:
    """Run some lines of a batch again and compare; exit status 1 if an answer is another."""
    found = with_client(url, key_file, lambda client: verify(client, _path(name), sample))
    typer.echo(f"{found.equal} of {found.sample} answers are equal, byte for byte")
    if found.differing:
        typer.echo(f"others: lines {', '.join(map(str, found.differing))}", err=True)
        raise typer.Exit(1)


@app.command()
def cancel(
    name: NameArgument, url: UrlOption = DEFAULT_URL, key_file: KeyFileOption = None
) -> None:
    """Stop a batch; what is done stays readable."""
    _post(name, "cancel", url, key_file, said="cancelled")


@app.command()
def pause(name: NameArgument, url: UrlOption = DEFAULT_URL, key_file: KeyFileOption = None) -> None:
    """Begin nothing more of a batch until it is resumed; its time runs on."""
    _post(name, "pause", url, key_file, said="paused")


@app.command()
def resume(
    name: NameArgument, url: UrlOption = DEFAULT_URL, key_file: KeyFileOption = None
) -> None:
    """Go on with a batch that was paused."""
    _post(name, "resume", url, key_file, said="resumed")


@app.command()
def delete(
    name: NameArgument, url: UrlOption = DEFAULT_URL, key_file: KeyFileOption = None
) -> None:
    """Stop a batch and forget it, its results as well."""
    path = _path(name)
    with_client(url, key_file, lambda client: client.call("DELETE", path))
    typer.echo(f"deleted {path}")


def _post(name: str, verb: str, url: str, key_file: Path | None, *, said: str) -> None:
    path = _path(name)
    with_client(url, key_file, lambda client: client.call("POST", f"{path}:{verb}"))
    typer.echo(f"{said} {path}")


def _path(name: str) -> str:
    batch_id = name.removeprefix("batches/")
    if not batch_id.replace("-", "").replace("_", "").isalnum() or not batch_id.isascii():
        raise ConfigurationError(f"{name!r} is not the name of a batch")
    return f"batches/{batch_id}"
