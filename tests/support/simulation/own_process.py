"""A server in virtual time, in an interpreter of its own.

What a killed server leaves must not come to life when an interpreter tidies up, so it never does.
"""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog

TESTS = Path(__file__).parents[2]


def ask(script: str, **asked: Any) -> Any:
    """Return what `answer` says in the script, run by itself, to these arguments."""
    done = subprocess.run(
        [sys.executable, script],
        input=json.dumps(asked),
        env={**os.environ, "PYTHONHASHSEED": "0", "PYTHONPATH": str(TESTS)},  # noqa: TID251  # of the interpreter
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def answer(work: Callable[..., Any]) -> None:
    """Do the work with the arguments on stdin, say on stdout what it returns, and end at once."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    print(json.dumps(work(**json.load(sys.stdin))))
    sys.stdout.flush()
    os._exit(0)
