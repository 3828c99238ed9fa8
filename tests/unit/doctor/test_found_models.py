"""Model servers are found on their ports, whatever else may listen there."""

import contextlib
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from toplu.doctor import found_models
from toplu.doctor.found_models import find_servers, read_file, served_by
from toplu.errors import ConfigurationError


@contextlib.contextmanager
def listening(body: bytes) -> Iterator[int]:
    """Yield the port of a server that answers everything with the body."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def listed(*names: str) -> bytes:
    return json.dumps({"object": "list", "data": [{"id": name} for name in names]}).encode()


def test_the_models_of_a_server_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    with listening(listed("Qwen/Qwen3-8B", "bge-embed")) as port:
        monkeypatch.setattr(found_models, "PORTS", {port: "vLLM"})
        first, second = find_servers()
    assert (first.name, first.served_name) == ("qwen-qwen3-8b", "Qwen/Qwen3-8B")
    assert first.server == f"http://127.0.0.1:{port}/v1"
    assert (first.is_embedding, second.is_embedding) == (False, True)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"data": 3}', b'{"data": [{}]}'])
def test_another_program_on_the_port_is_no_model_server(body: bytes) -> None:
    with listening(body) as port:
        assert served_by(port) == []


def test_a_closed_port_is_none() -> None:
    with listening(b"") as port:
        pass
    assert served_by(port) == []


def test_what_is_no_gguf_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"something else")
    with pytest.raises(ConfigurationError, match=r"model.gguf: cannot be read as a GGUF file"):
        read_file(path)
