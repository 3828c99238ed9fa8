"""Every page, with something on it: what is checked, and what the pictures in the docs show."""

import json
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page

AXE = Path(__file__).parents[1] / "browser" / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"]
OpenPage = Callable[..., Page]
PAGES = {
    "overview": "/",
    "batches": "/ui/batches",
    "new": "/ui/new",
    "files": "/ui/files",
    "models": "/ui/models",
    "webhooks": "/ui/webhooks",
    "usage": "/ui/usage",
    "audit": "/ui/audit",
}
WIDE, NARROW = {"width": 1100, "height": 800}, {"width": 320, "height": 800}
HOSTILE = "<script>window.pwned = 1</script>"


def lines_in(folder: Path, count: int = 40) -> Path:
    """Write a file of lines, of which some fail, and one is hostile."""
    texts = [f"Say something about number {n}, please." for n in range(count)]
    texts[7] = texts[27] = "please fail"
    texts[3] = f"{HOSTILE} \u202eevil\u202c"
    path = folder / "nightly.jsonl"
    path.write_text("\n".join(_line(number, text) for number, text in enumerate(texts)))
    return path


def make_batch(page: Page, file: Path, name: str = "nightly eval") -> str:
    """Make a batch of a file by hand; return the path of its page."""
    page.goto("/ui/new")
    page.set_input_files("#file", file)
    page.fill("#name", name)
    page.click("text=Upload and check")
    page.wait_for_selector("#figures dl")
    page.click("text=Create batch")
    page.wait_for_selector("#batch")
    return page.url.partition("/ui/")[1] + page.url.partition("/ui/")[2]


def faults_of(page: Page) -> list[str]:
    """Return what axe-core finds, and whether the page is wider than its window."""
    # A page of ours runs nothing but its own files, so the checks come by the debugger.
    session = page.context.new_cdp_session(page)
    session.send("Runtime.evaluate", {"expression": f"{AXE.read_text()};0"})
    found = page.evaluate(
        "rules => axe.run(document, {runOnly: rules}).then(it => it.violations"
        ".map(fault => `${fault.id}: ${fault.nodes[0].html}`))",
        RULES,
    )
    if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
        found.append("the page is wider than its window")
    return list(found)


def _line(number: int, text: str) -> str:
    request = {"contents": [{"role": "user", "parts": [{"text": text}]}]}
    return json.dumps({"key": f"key-{number}", "request": request})
