"""A real SearXNG in a process of its own; it is not a part of toplu, so it has its own packages."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.ports import free_port
from support.running_program import running_program

PYTHON = Path(__file__).parents[3] / ".searxng" / "bin" / "python"

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
    port = free_port()
    settings = folder / "settings.yml"
    settings.write_text(
        SETTINGS.format(port=port, site_port=site_port, formats=formats), encoding="utf-8"
    )
    url = f"http://127.0.0.1:{port}"
    with running_program(
        [str(PYTHON), "-m", "searx.webapp"],
        health_url=f"{url}/healthz",
        log=folder / "searxng.log",
        environment={"SEARXNG_SETTINGS_PATH": str(settings)},
    ):
        yield url
