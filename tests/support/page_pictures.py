"""`make pictures`: every page in both themes, as the docs show it, to be looked at."""

import shutil
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

from support.model_tables import echo_model
from support.page_tour import PAGES, WIDE, lines_in, make_batch
from support.server import Server, started_server
from support.waiting import PATIENCE_SECONDS

PICTURES = Path(__file__).parents[2] / "docs" / "images" / "page"
LEFT = ("batches", "new", "files", "webhooks", "usage", "audit")  # need nothing done on them


def main() -> None:
    expect.set_options(timeout=PATIENCE_SECONDS * 1000)
    models = echo_model(delay_seconds=0.1, fail_pattern="please fail")
    with tempfile.TemporaryDirectory(prefix="toplu-pictures-") as folder, sync_playwright() as tool:
        browser = tool.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        with started_server(Path(folder), config=models) as server:
            for theme in ("light", "dark"):
                _take_all(browser, server, theme, Path(folder))
        browser.close()


def _take_all(browser: Browser, server: Server, theme: str, folder: Path) -> None:
    context = browser.new_context(color_scheme=theme, base_url=server.url, viewport=WIDE)  # type: ignore[arg-type]
    page = context.new_page()
    page.set_default_timeout(PATIENCE_SECONDS * 1000)
    page.on("dialog", lambda dialog: dialog.accept())

    def take(name: str) -> None:
        page.screenshot(path=PICTURES / f"{name}-{theme}.png")

    page.goto(PAGES["new"])
    page.set_input_files("#file", lines_in(folder, 200))
    page.fill("#name", "nightly eval")
    page.click("text=Upload and check")
    page.wait_for_selector("#figures dl")
    take("check")
    batch = make_batch(page, lines_in(folder, 200), "nightly eval")
    make_batch(page, lines_in(folder, 120), "labels")
    page.goto("/")
    # The chart has a line, and the engine says how long calls took.
    expect(page.locator("#rows progress").first).not_to_have_attribute("value", "0")
    expect(page.locator("#speed-now")).not_to_be_empty()
    take("overview")
    page.goto(batch)
    expect(page.locator("#batch .state")).to_have_text("done")
    page.goto(f"{batch}?show=failed")
    take("batch")
    _use(page)
    take("models")
    if theme == "light":
        _make_webhook(page)
    for name in LEFT:
        page.goto(PAGES[name])
        take(name)
    context.close()


def _use(page: Page) -> None:
    page.goto(PAGES["models"])
    page.fill("#prompt", "Why is the sky blue?")
    page.click("text=Ask")
    page.wait_for_selector("#answer")


def _make_webhook(page: Page) -> None:
    page.goto(PAGES["webhooks"])
    page.fill("#uri", "https://hooks.example/toplu")
    page.fill("#name", "build")
    page.click("text=Make webhook")
    page.click("text=Ping")
    page.wait_for_selector("#deliveries")


if __name__ == "__main__":
    main()
