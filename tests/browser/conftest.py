"""Chromium, as Debian packages it, before a real `toplu serve`."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from support.model_tables import echo_model
from support.page_tour import WIDE, OpenPage
from support.server import Server, started_server
from support.waiting import PATIENCE_SECONDS

PATIENCE = PATIENCE_SECONDS * 1000
expect.set_options(timeout=PATIENCE)
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    assert chromium is not None, "`make .browser/ready` installs it"
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=list(ARGUMENTS))
        yield launched
        launched.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server whose answers take a while, and some of which fail."""
    models = echo_model(delay_seconds=0.1, fail_pattern="please fail")
    with started_server(tmp_path, config=models) as started:
        yield started


@pytest.fixture
def open_page(browser: Browser, server: Server) -> Iterator[OpenPage]:
    """Open a window; at the end of the test none of them has had anything to say on its console."""
    said: list[str] = []
    with ExitStack() as stack:

        def open_one(path: str = "/", **context: Any) -> Page:
            settings = {"viewport": WIDE, "base_url": server.url} | context
            own = browser.new_context(**settings)
            stack.callback(own.close)
            page = own.new_page()
            page.set_default_timeout(PATIENCE)
            page.on("console", lambda message: said.extend(_complaint_in(message)))
            page.on("pageerror", lambda error: said.append(str(error)))
            page.on("dialog", lambda dialog: dialog.accept())
            page.goto(path)
            return page

        yield open_one
    assert said == []


def _complaint_in(message: ConsoleMessage) -> list[str]:
    """Return what a browser has to say of a page that was found, if it is a complaint."""
    url = message.location["url"]
    is_of_visit = message.page is not None and url == message.page.url
    if message.type not in ("error", "warning") or (is_of_visit and "404" in message.text):
        return []
    return [f"{message.text} ({url})"]
