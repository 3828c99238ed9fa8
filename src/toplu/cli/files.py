"""`toplu files`: the files of a project at a running server."""

import json
from pathlib import Path
from typing import Annotated

import typer

from toplu.cli.client import DEFAULT_URL, Client, KeyFileOption, UrlOption, save, with_client
from toplu.cli.tables import JsonOption, print_records
from toplu.cli.upload import show_sent
from toplu.cli.upload import upload as send
from toplu.errors import ConfigurationError

app = typer.Typer(
    help="Work with the files of a running server.", no_args_is_help=True, rich_markup_mode=None
)

NameArgument = Annotated[str, typer.Argument(help="The file: files/ID, or the ID alone.")]
COLUMNS = {
    "name": "name",
    "displayName": "called",
    "mimeType": "type",
    "sizeBytes": "bytes",
    "source": "source",
    "expirationTime": "expires",
}


@app.command("list")
def list_files(
    url: UrlOption = DEFAULT_URL, key_file: KeyFileOption = None, *, as_json: JsonOption = False
) -> None:
    """Show the project's files, newest first."""
    found = with_client(url, key_file, lambda client: client.all("files"))
    shown = found if as_json else [dict.fromkeys(COLUMNS) | file for file in found]
    print_records("files", shown, COLUMNS, as_json=as_json, right={"sizeBytes"})


@app.command()
def get(name: NameArgument, url: UrlOption = DEFAULT_URL, key_file: KeyFileOption = None) -> None:
    """Print what is known of a file, as JSON."""
    found = with_client(url, key_file, lambda client: client.call("GET", _path(name)))
    typer.echo(json.dumps(found, indent=2, ensure_ascii=False))


@app.command()
def upload(
    file: Annotated[Path, typer.Argument(help="The file to send.")],
    url: UrlOption = DEFAULT_URL,
    key_file: KeyFileOption = None,
) -> None:
    """Send a file in pieces, and print its name."""
    typer.echo(with_client(url, key_file, lambda client: send(client, file, sent=show_sent)))


@app.command()
def download(
    name: NameArgument,
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write.")],
    url: UrlOption = DEFAULT_URL,
    key_file: KeyFileOption = None,
) -> None:
    """Write the bytes of a file; under its name it is whole, or not there."""
    path = f"{_path(name)}:download?alt=media"

    async def copy(client: Client) -> None:
        async with client.lines(path) as answer:
            await save(answer, output)

    with_client(url, key_file, copy)


@app.command()
def delete(
    name: NameArgument, url: UrlOption = DEFAULT_URL, key_file: KeyFileOption = None
) -> None:
    """Remove a file; batches that were made of it have their own."""
    path = _path(name)
    with_client(url, key_file, lambda client: client.call("DELETE", path))
    typer.echo(f"deleted {path}")


def _path(name: str) -> str:
    file_id = name.removeprefix("files/")
    if not file_id.replace("-", "").isalnum() or not file_id.isascii():
        raise ConfigurationError(f"{name!r} is not the name of a file")
    return f"files/{file_id}"
