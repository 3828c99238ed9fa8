"""Settings of every test process."""

import logging

import hypothesis
import pytest
import structlog

structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))

# No property is about time, and a busy machine is no counterexample.
hypothesis.settings.register_profile(
    "untimed",
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
    print_blob=True,
)
hypothesis.settings.load_profile("untimed")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Give whole files to the workers of xdist, and all that needs a real model to one of them.

    Models fill the machine: two beside each other are slower than one after the other. Those come
    first, for no worker is to be left with them at the end.
    """
    if not hasattr(config, "workerinput"):
        return
    for item in items:
        needs_model = item.get_closest_marker("model") is not None
        group = "models" if needs_model else item.nodeid.partition("::")[0]
        item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=lambda item: item.get_closest_marker("model") is None)
