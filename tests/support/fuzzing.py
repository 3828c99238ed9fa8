"""Settings of the fuzz tests: the same few examples each time, or many fresh ones.

`make fuzz` asks for the latter by TOPLU_FUZZ_EXAMPLES.
"""

import os

from hypothesis import HealthCheck, Phase, settings

EXAMPLE_SECONDS_MAX = 20  # far more than any call here takes: beyond it something hangs

_WANTED = os.environ.get("TOPLU_FUZZ_EXAMPLES")  # noqa: TID251  # the tests' own, no setting


def fuzzed(examples: int) -> settings:
    """Return the settings of a test that tries so many examples, unless more are asked for."""
    return settings(
        max_examples=examples if _WANTED is None else int(_WANTED),
        derandomize=_WANTED is None,
        database=None,
        deadline=EXAMPLE_SECONDS_MAX * 1000,
        # A server remembers, so a failing example is not one that can be made smaller.
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
