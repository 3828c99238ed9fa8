"""llama.cpp's own HTTP server as a process that somebody else runs, on a port of its own."""

import asyncio
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from toplu.engines import model_source
from toplu.engines.llama_cpp_child import ChildParameters, load_model
from toplu.settings import DEFAULT_MODEL, Settings

KEY = "a-key-that-the-operator-knows"
CONTEXT_TOKENS = 512
LANES = 2


class ListeningLlamaCpp:
    """It may be killed and started again; its address stays."""

    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def start(self) -> Self:
        """Return when it listens."""
        self._process = subprocess.Popen(
            [sys.executable, __file__, str(self.port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"ready\n"
        return self

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.communicate()


@contextmanager
def listening_llama_cpp() -> Iterator[ListeningLlamaCpp]:
    server = ListeningLlamaCpp().start()
    try:
        yield server
    finally:
        server.kill()


def _listen(port: int) -> None:
    model_dir = Settings().model_dir
    path = asyncio.run(model_source.pull(DEFAULT_MODEL, model_dir, lambda _message: None))
    parameters = ChildParameters(
        model_path=str(path),
        context_tokens=CONTEXT_TOKENS,
        lanes=LANES,
        threads=None,
        api_key=KEY,
        port=port,
    )
    server = load_model(parameters)
    print("ready", flush=True)
    sys.stdin.buffer.read()  # it ends with whoever started it
    del server


if __name__ == "__main__":
    _listen(int(sys.argv[1]))
