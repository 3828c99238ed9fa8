"""The page in a real browser: what people do on it, in both themes, at every width."""

import json
import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from support.page_tour import HOSTILE, NARROW, PAGES, OpenPage, faults_of, lines_in, make_batch
from support.server import TOPLU, Server, clean_environment
from support.waiting import eventually

pytestmark = pytest.mark.system


def new_key(server: Server, project: str, *words: str) -> str:
    command = [str(TOPLU), "keys", "create", "--project", project, "--label", project, *words]
    made = subprocess.run(
        [*command, "--data-dir", str(server.data_dir)],
        env=clean_environment(),
        capture_output=True,
        check=True,
        text=True,
    )
    return made.stdout.strip()


def sign_in(page: Page, key: str) -> None:
    page.fill("#key", key)
    page.click("button.main")
    page.wait_for_selector("nav")


def test_a_batch_is_made_watched_searched_retried_and_downloaded(
    server: Server, open_page: OpenPage, tmp_path: Path
) -> None:
    key = new_key(server, "alpha")
    page = open_page()
    sign_in(page, key)
    batch = make_batch(page, lines_in(tmp_path), "<b>nightly</b>")
    overview = open_page("/")
    sign_in(overview, key)
    expect(overview.locator("#rows th")).to_have_text("<b>nightly</b>")
    expect(overview.locator("#rows progress")).to_have_attribute("value", "40")
    # The page went on by itself.
    expect(page.locator("#batch .state")).to_have_text("done")
    expect(page.locator("#found tbody tr")).to_have_count(25)
    page.check("input[value=failed]")
    page.click("text=Search")
    expect(page.locator("#found tbody tr")).to_have_count(2)
    page.click("summary >> nth=0")
    assert "INTERNAL" in page.locator("summary").first.inner_text()
    assert '"error"' in page.locator("#found pre").first.inner_text()
    page.fill("#search", "number 33")
    page.check("input[value=all]")
    page.click("text=Search")
    expect(page.locator("#found tbody th")).to_have_text(["key-33"])
    with page.expect_download() as download:
        page.click("#download")
    lines = Path(download.value.path()).read_text().splitlines()
    assert [json.loads(line)["key"] for line in lines] == [f"key-{n}" for n in range(40)]
    page.click("#retry")
    page.wait_for_selector("#retry-of")
    assert page.url.partition("/ui/")[2] != batch.partition("/ui/")[2]
    expect(page.locator("#batch .count")).to_have_text("2 of 2")
    page.click("#delete")
    page.wait_for_selector("h1:has-text('Batches')")
    expect(page.locator("tbody th")).to_have_count(1)


def test_a_key_that_is_revoked_elsewhere_ends_the_session_here(
    server: Server, open_page: OpenPage
) -> None:
    operator, key = new_key(server, "alpha", "--operator"), new_key(server, "alpha")
    page, other = open_page(), open_page("/ui/usage")
    sign_in(page, key)
    sign_in(other, operator)
    page.wait_for_selector("#engines .card")
    row = other.locator("tr", has_text=key[:10])
    row.locator("button").click()
    expect(row).to_contain_text("20")
    expect(page.locator("#notice")).to_contain_text("signed out")


def test_two_projects_see_nothing_of_each_other(
    server: Server, open_page: OpenPage, tmp_path: Path
) -> None:
    alpha, beta = open_page(), open_page()
    for page, project in ((alpha, "alpha"), (beta, "beta")):
        key = new_key(server, project)
        page.goto("/")
        sign_in(page, key)
    batch = make_batch(alpha, lines_in(tmp_path))
    beta.goto(batch)
    expect(beta.locator("main")).to_contain_text("not found")
    for path in PAGES.values():
        beta.goto(path)
        assert "nightly" not in beta.content()


def test_the_focus_stays_where_it_is_while_the_page_goes_on(
    open_page: OpenPage, tmp_path: Path
) -> None:
    page = open_page()
    batch = make_batch(page, lines_in(tmp_path, 200))
    page.goto("/")
    name = f"cancel-{batch.rpartition('/')[2]}"
    page.focus(f"#{name}")
    before = page.locator("#rows progress").get_attribute("value")
    expect(page.locator("#rows progress")).not_to_have_attribute("value", str(before))
    assert page.evaluate("document.activeElement.id") == name
    page.keyboard.press("Enter")
    page.wait_for_selector("#batch")
    expect(page.locator("#batch .state")).to_have_text("cancelled")


def test_what_clients_wrote_stays_text(open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page()
    batch = make_batch(page, lines_in(tmp_path), HOSTILE)
    expect(page.locator("h1")).to_have_text(HOSTILE)
    expect(page.locator("#found")).to_contain_text(HOSTILE)
    page.goto(f"{batch}/requests/4")
    expect(page.locator("pre")).to_contain_text(HOSTILE)
    page.goto("/ui/models")
    page.fill("#prompt", HOSTILE)
    page.click("text=Ask")
    expect(page.locator("pre").first).to_have_text(HOSTILE)
    assert page.evaluate("window.pwned === undefined")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", ["wide", "narrow"])
def test_no_page_has_a_fault_that_axe_finds(
    open_page: OpenPage, tmp_path: Path, theme: str, width: str
) -> None:
    more = {"viewport": NARROW} if width == "narrow" else {}
    page = open_page(color_scheme=theme, **more)
    batch = make_batch(page, lines_in(tmp_path))
    assert faults_of(page) == []
    expect(page.locator("#batch .state")).to_have_text("done")
    for path in (
        *PAGES.values(),
        batch,
        f"{batch}?show=failed",
        f"{batch}/requests/1",
        "/ui/nowhere",
    ):
        page.goto(path)
        assert faults_of(page) == [], path
    page.goto("/ui/models")
    page.fill("#prompt", "hello")
    page.click("text=Ask")
    page.wait_for_selector("#answer")
    assert faults_of(page) == []


def test_buttons_are_in_sight_at_an_ordinary_width(open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page()
    make_batch(page, lines_in(tmp_path))
    for path in ("/", "/ui/batches", "/ui/files", "/ui/usage"):
        page.goto(path)
        for button in page.locator("main button, main .button").all():
            box = button.bounding_box()
            assert box is not None
            assert 0 <= box["x"] <= box["x"] + box["width"] <= 1100, path


def test_without_scripts_all_is_there_but_for_what_is_live(
    open_page: OpenPage, tmp_path: Path
) -> None:
    page = open_page("/ui/new", java_script_enabled=False)
    page.set_input_files("#file", lines_in(tmp_path))
    page.click("text=Upload and check")
    page.click("text=Check the file")
    expect(page.locator("dl")).to_contain_text("Requests")
    page.go_back()
    page.click("text=Create batch")
    batch = page.url

    def is_done() -> bool:
        page.goto(batch)
        return page.locator("#batch .state").inner_text() == "done"

    eventually(is_done)
    expect(page.locator("#found tbody tr")).to_have_count(25)
    page.click("text=More")
    expect(page.locator("#found tbody tr")).to_have_count(15)
    page.goto("/")
    expect(page.locator("#rows tr")).to_have_count(1)
