"""`toplu search`: the documents that `google_search` finds when it searches on this machine."""

from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer
from rich.console import Console
from rich.table import Table

from toplu.clock import SystemClock, timestamp
from toplu.errors import ConfigurationError
from toplu.settings.server import load
from toplu.store.search_index import Collection
from toplu.tools.documents import SUFFIXES, read_documents
from toplu.wiring.storage import open_search_index

app = typer.Typer(help="Add, list and remove documents to search in.", no_args_is_help=True)

DataDirOption = Annotated[Path | None, typer.Option(help="The server's data folder.")]
ConfigOption = Annotated[Path | None, typer.Option(help="TOML file with settings.")]


@app.command()
def add(
    path: Annotated[Path, typer.Argument(help="A folder of documents, or one document.")],
    name: Annotated[str | None, typer.Option(help="What to call it; its own name if none.")] = None,
    url: Annotated[str | None, typer.Option(help="Where readers find the folder.")] = None,
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Read documents into the index; what was there under the same name is replaced."""
    if not path.exists():
        raise ConfigurationError(f"{path}: there is no such file or folder")
    passages = open_search_index(load(config, overrides={"data_dir": data_dir}))
    name = name or path.resolve().name
    # Without a URL nobody can open it, and nobody learns where it lies on the machine.
    documents = read_documents(path.resolve(), url or f"document:///{quote(name)}")
    added = timestamp(SystemClock().now())
    wanted = Collection(name=name, path=str(path.resolve()), documents=0, added=added)
    collection = passages.put(wanted, documents)
    if not collection.documents:
        passages.remove(name)
        known = ", ".join(sorted(SUFFIXES))
        raise ConfigurationError(f"{path}: has no document that can be read ({known})")
    typer.echo(f"{name}: {collection.documents} documents")


@app.command("list")
def list_collections(data_dir: DataDirOption = None, config: ConfigOption = None) -> None:
    """Show what has been added."""
    passages = open_search_index(load(config, overrides={"data_dir": data_dir}))
    table = Table("name", "documents", "added", "from")
    for collection in passages.collections():
        table.add_row(collection.name, str(collection.documents), collection.added, collection.path)
    Console().print(table)


@app.command()
def remove(
    name: Annotated[str, typer.Argument(help="The name, as listed.")],
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Take documents out of the index."""
    passages = open_search_index(load(config, overrides={"data_dir": data_dir}))
    if not passages.remove(name):
        raise ConfigurationError(f"{name}: nothing of that name has been added")
    typer.echo(f"removed {name}")
