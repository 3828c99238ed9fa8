"""A real SearXNG in a process of its own; it is not a part of toplu, so it has its own packages."""

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from support.server import clean_environment
from support.waiting import eventually

PYTHON = Path(__file__).parents[3] / ".searxng" / "bin" / "python"
STOP_SECONDS = 10

# JSON is off by default. Without the last line it would fetch lists from the web when it starts.
SETTINGS = """
use_default_settings: {{engines: {{keep_only: []}}}}
general: {{instance_name: test, debug: false}}
search: {{formats: {formats}}}
server: {{bind_address: 127.0.0.1, port: {port}, secret_key: test-0123456789, limiter: false}}
outgoing: {{request_timeout: 3.0}}
engines:
  - name: site
    engine: json_engine
    shortcut: s
    categories: [general]
    search_url: "http://127.0.0.1:{site_port}/search?q={{query}}&p={{pageno}}"
    results_query: results
    url_query: url
    title_query: title
    content_query: text
    enable_http: true
plugins: {{}}
"""


@contextmanager
def running_searxng(folder: Path, site_port: int, formats: str = "[html, json]") -> Iterator[str]:
    """Yield the URL of a SearXNG whose only engine asks the site."""
    if not PYTHON.exists():
        pytest.fail("SearXNG is missing: make .searxng/ready")
    port = _free_port()
    settings = folder / "settings.yml"
    settings.write_text(
        SETTINGS.format(port=port, site_port=site_port, formats=formats), encoding="utf-8"
    )
    environment = clean_environment() | {"SEARXNG_SETTINGS_PATH": str(settings)}
    environment.pop("PYTHONPATH", None)
    with (folder / "searxng.log").open("wb") as log:
        process = subprocess.Popen(
            [str(PYTHON), "-m", "searx.webapp"], env=environment, stdout=log, stderr=log
        )
    try:
        url = f"http://127.0.0.1:{port}"
        eventually(lambda: _is_healthy(url, process))
        yield url
    finally:
        process.terminate()
        process.wait(STOP_SECONDS)


def _is_healthy(url: str, process: "subprocess.Popen[bytes]") -> bool:
    assert process.poll() is None, "SearXNG has ended"
    try:
        with urlopen(f"{url}/healthz", timeout=1) as reply:
            return bool(reply.status == 200)
    except (URLError, OSError):
        return False


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
