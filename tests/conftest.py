"""Settings of every test process."""

import logging
import os
import sys
from collections.abc import Iterator

import hypothesis
import pytest
import structlog

from toplu import deed

# Machines of others forbid it, and then each of a thousand processes compiles its modules again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # noqa: TID251  # the tests' own
sys.dont_write_bytecode = False

structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))

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


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with what takes longest where xdist shares the files out: with the real models."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: item.get_closest_marker("model") is None)


@pytest.fixture(autouse=True)
def _actor_of_no_other_test() -> Iterator[None]:
    """Forget in whose name a test acted: fixtures share the context of the whole process."""
    yield
    deed.act_as(deed.SERVER)
