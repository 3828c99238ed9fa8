"""`toplu search`: the documents that `google_search` finds when it searches on this machine."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

import typer

from toplu.cli.options import ConfigOption, DataDirOption
from toplu.cli.tables import JsonOption, print_records
from toplu.clock import SystemClock, timestamp
from toplu.errors import ConfigurationError

if TYPE_CHECKING:
    from toplu.store.search_index import SearchIndex

app = typer.Typer(
    help="Add, list and remove documents to search in.", no_args_is_help=True, rich_markup_mode=None
)


COLUMNS = {"name": "name", "documents": "documents", "added": "added", "path": "from"}


@app.command()
def add(
    path: Annotated[Path, typer.Argument(help="A folder of documents, or one document.")],
    name: Annotated[str | None, typer.Option(help="What to call it; its own name if none.")] = None,
    url: Annotated[str | None, typer.Option(help="Where readers find the folder.")] = None,
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Read documents into the index; what was there under the same name is replaced."""
    from toplu.store.search_index import Collection
    from toplu.tools.documents import SUFFIXES, read_documents

    if not path.exists():
        raise ConfigurationError(f"{path}: there is no such file or folder")
    index = _open_index(data_dir, config)
    name = name or path.resolve().name
    # Without a URL nobody can open it, and nobody learns where it lies on the machine.
    documents = read_documents(path.resolve(), url or f"document:///{quote(name)}")
    added = timestamp(SystemClock().now())
    wanted = Collection(name=name, path=str(path.resolve()), documents=0, added=added)
    collection = index.put(wanted, documents)
    if not collection.documents:
        index.remove(name)
        known = ", ".join(sorted(SUFFIXES))
        raise ConfigurationError(f"{path}: has no document that can be read ({known})")
    typer.echo(f"{name}: {collection.documents} documents")


@app.command("list")
def list_collections(
    data_dir: DataDirOption = None, config: ConfigOption = None, *, as_json: JsonOption = False
) -> None:
    """Show what has been added."""
    index = _open_index(data_dir, config)
    records = [
        {"name": it.name, "documents": it.documents, "added": it.added, "path": it.path}
        for it in index.collections()
    ]
    print_records("collections", records, COLUMNS, as_json=as_json, right={"documents"})


@app.command()
def remove(
    name: Annotated[str, typer.Argument(help="The name, as listed.")],
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Take documents out of the index."""
    index = _open_index(data_dir, config)
    if not index.remove(name):
        raise ConfigurationError(f"{name}: nothing of that name has been added")
    typer.echo(f"removed {name}")


def _open_index(data_dir: Path | None, config: Path | None) -> "SearchIndex":
    from toplu.settings.load import load
    from toplu.wiring.storage import open_search_index

    return open_search_index(load(config, overrides={"data_dir": data_dir}))
