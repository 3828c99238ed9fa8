"""Settings of every test process."""

import asyncio
import logging
import os
import sys
from collections.abc import Iterator

import hypothesis
import pytest
import structlog

from support.api import local_server
from support.bucket import running_bucket
from support.store.new_tables import NewTables
from support.store.running_postgres import RunningPostgres, running_postgres
from toplu import deed
from toplu.settings.storage.bucket import BucketSettings
from toplu.store.rows import migrating

# Machines of others forbid it, and then each of a thousand processes compiles its modules again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # noqa: TID251  # the tests' own
sys.dont_write_bytecode = False

structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))

# Thousands of tests have a database of their own, and each time all migrations took 0.3 seconds.
migrating.upgrade = NewTables(migrating.upgrade)

# No property is about time, and a busy machine is no counterexample. The examples are the same each
# time: what only luck finds is for `make fuzz`.
hypothesis.settings.register_profile(
    "steady",
    derandomize=True,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
    print_blob=True,
)
hypothesis.settings.load_profile("steady")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--bucket", action="store_true", help="servers of tests have bytes in a bucket"
    )
    parser.addoption(
        "--postgres", action="store_true", help="servers of tests have rows on PostgreSQL"
    )


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BucketSettings]:
    """A server of buckets, which is started where a test needs one."""
    with running_bucket(tmp_path_factory.mktemp("bucket")) as settings:
        yield settings


@pytest.fixture(scope="session")
def postgres() -> Iterator[RunningPostgres]:
    """A server of databases, which is started where a test needs one."""
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="session", autouse=True)
def _stores_of_servers(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("bucket"):
        local_server.stores.bucket = request.getfixturevalue("store")
    if request.config.getoption("postgres"):
        postgres = local_server.stores.postgres = request.getfixturevalue("postgres")
        asyncio.run(postgres.make_template())


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with what takes longest where xdist shares the files out: with the real models.

    Tests that look at files of the data folder say nothing of other stores.
    """
    if config.getoption("bucket") or config.getoption("postgres"):
        items[:] = [item for item in items if item.get_closest_marker("in_folder") is None]
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: item.get_closest_marker("model") is None)


@pytest.fixture(autouse=True)
def _actor_of_no_other_test() -> Iterator[None]:
    """Forget in whose name a test acted: fixtures share the context of the whole process."""
    yield
    deed.act_as(deed.SERVER)
