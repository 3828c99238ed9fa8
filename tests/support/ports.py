"""Ports for servers of tests that are started again on the same one.

The system gives its own ones (32768 and above on Linux) to connections as well: one of another test
may have a server's port by the time that the server is back.
"""

import itertools
import os
import socket

FIRST = 20_000
OF_EACH_WORKER = 1_000
ALONE = "gw9"  # outside of pytest-xdist

_WORKER = os.environ.get("PYTEST_XDIST_WORKER", ALONE)  # noqa: TID251  # pytest's, no setting
_begin = FIRST + OF_EACH_WORKER * int(_WORKER.removeprefix("gw"))
# Another run of the tests beside this one begins elsewhere.
_offsets = itertools.count(os.getpid())


def free_port() -> int:
    """Return a port that nobody listens on."""
    for offset in itertools.islice(_offsets, OF_EACH_WORKER):
        port = _begin + offset % OF_EACH_WORKER
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("all ports of this worker are in use")
