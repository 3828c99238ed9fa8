"""`make console`: Python beside a whole server on the echo engine, to be asked by hand.

>>> client.models.generate_content(model="gemini-2.5-flash", contents="hello").text
>>> server.call(server.server.pipeline.tidy())      # runs a coroutine on the server's loop
>>> rows("SELECT id, state FROM jobs")
"""

import code
import contextlib
import sqlite3
import tempfile
from pathlib import Path
from typing import Any

from support.api.local_server import ECHO, EMBEDDER, LocalServer, client_of, http_of
from toplu.settings.server import Settings
from toplu.store.data_folder import DataFolder


def main() -> None:
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401  # editing and history of lines

    with tempfile.TemporaryDirectory(prefix="toplu-console-") as folder:
        settings = Settings(data_dir=Path(folder) / "data", models=(ECHO, EMBEDDER))

        def rows(query: str) -> list[tuple[Any, ...]]:
            """Return the rows of the server's database that the query selects."""
            file = f"file:{DataFolder(settings.data_dir).database}?mode=ro"
            with contextlib.closing(sqlite3.connect(file, uri=True)) as database:
                return database.execute(query).fetchall()

        with LocalServer(settings) as server:
            names = {
                "server": server,
                "client": client_of(server),
                "http": http_of(server),
                "rows": rows,
                "settings": settings,
            }
            code.interact(f"{__doc__}\n{server.url}: {', '.join(names)}", local=names, exitmsg="")


if __name__ == "__main__":
    main()
