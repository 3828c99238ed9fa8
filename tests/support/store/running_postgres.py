"""A PostgreSQL server of this test process, with a database for each test that wants one."""

import contextlib
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import psycopg

from support.ports import free_port
from toplu.store.rows.postgres import PostgresDatabase

TEMPLATE = "migrated"
DEBIAN = Path("/usr/lib/postgresql")
CONFIG = """
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = '{folder}'
fsync = off
full_page_writes = off
shared_buffers = 32MB
max_connections = 100
"""


class RunningPostgres:
    """The server; it is started, stopped and killed like any other."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = port
        self._process: subprocess.Popen[bytes] | None = None
        self._names = (f"test_{number}" for number in itertools.count())
        self._has_template = False

    def start(self) -> None:
        """Start it and wait until it answers."""
        arguments = [_binary("postgres"), "-D", str(self.folder / "data")]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*_as_user(), *arguments], stdout=log, stderr=log, start_new_session=True
            )
        while not self._answers():
            assert self._process.poll() is None, (self.folder / "log").read_text()

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop it: SIGINT in good order with all connections broken, SIGQUIT as a crash.

        SIGKILL ends all of its processes at once, as a power cut does.
        """
        assert self._process is not None, "it runs"
        if how is signal.SIGKILL:
            os.killpg(self._process.pid, how)
        else:
            self._process.send_signal(how)
        self._process.wait()

    def url(self, database: str) -> str:
        return f"postgresql://toplu@127.0.0.1:{self.port}/{database}"

    def execute(self, *statements: str) -> None:
        """Execute statements outside of any transaction."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)

    def empty(self) -> str:
        """Return the URL of a new database without tables."""
        name = next(self._names)
        self.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    async def migrated(self) -> str:
        """Return the URL of a new database of the present schema, without rows."""
        await self.make_template()
        return self.copy()

    async def make_template(self) -> None:
        """Make the database that others are copies of, unless it is there."""
        if not self._has_template:
            self.execute(f"CREATE DATABASE {TEMPLATE}")
            await (await PostgresDatabase.open(self.url(TEMPLATE), upgrades=True)).close()
            self._has_template = True

    def copy(self) -> str:
        """Return the URL of a new copy of the template."""
        name = next(self._names)
        self.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
        return self.url(name)

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url("postgres"), connect_timeout=1).close()
        except psycopg.OperationalError:
            return False
        return True


@contextlib.contextmanager
def running_postgres() -> Iterator[RunningPostgres]:
    """Run a server until the block ends; nothing is left of it."""
    # Its user may not enter the folders of tests, which are their owner's alone.
    folder = Path(tempfile.mkdtemp(prefix="toplu-postgres-"))
    if os.getuid() == 0:
        user = pwd.getpwnam("postgres")
        os.chown(folder, user.pw_uid, user.pw_gid)
    try:
        initdb = [_binary("initdb"), "-D", str(folder / "data"), "-U", "toplu", "--auth=trust"]
        initdb += ["-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
        subprocess.run([*_as_user(), *initdb], check=True, stdout=subprocess.DEVNULL, cwd=folder)
        server = RunningPostgres(folder, free_port())
        with (folder / "data" / "postgresql.conf").open("a") as config:
            config.write(CONFIG.format(port=server.port, folder=folder))
        server.start()
        try:
            yield server
        finally:
            server.stop(signal.SIGQUIT)
    finally:
        shutil.rmtree(folder)


def _binary(name: str) -> str:
    found = shutil.which(name) or next(iter(sorted(DEBIAN.glob(f"*/bin/{name}"), reverse=True)), "")
    assert found, f"{name} is missing: `make postgres` installs PostgreSQL"
    return str(found)


def _as_user() -> Sequence[str]:
    """Return what has a command end with us, and run as another user than root: it refuses that."""
    if sys.platform != "linux":
        return []
    other = ["--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.getuid() == 0 else []
    return ["setpriv", *other, "--pdeathsig", "INT"]
