"""Sessions of the page: whose they are, what they may see, and whose forms are taken."""

from datetime import timedelta

import pytest

from support.api.batch_calls import asking, create_inline
from support.api.local_server import LocalServer, OpenServer, http_of
from support.api.pages import SIGN_IN, new_key, page_of
from support.fake_clock import FakeClock

PAGES = (
    "/",
    "/ui/batches",
    "/ui/new",
    "/ui/files",
    "/ui/models",
    "/ui/usage",
    "/ui/webhooks",
    "/ui/audit",
)
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


@pytest.mark.parametrize("path", PAGES)
def test_while_any_key_works_nobody_has_to_sign_in(server: LocalServer, path: str) -> None:
    with page_of(server) as page:
        shown = page.get(path)
    assert shown.status_code == 200
    assert shown.headers["content-security-policy"] == CSP
    assert shown.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", [*PAGES, "/ui/events", "/ui/batches/x", "/ui/files/x/content"])
def test_without_a_session_there_is_nothing_but_a_way_in(server: LocalServer, path: str) -> None:
    new_key(server, "alpha")
    with page_of(server) as page:
        answer = page.get(path)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith(SIGN_IN)


def test_a_key_opens_a_session_and_leads_to_the_page_that_was_wanted(server: LocalServer) -> None:
    key = new_key(server, "alpha")
    with page_of(server) as page:
        assert page.sign_in("tpl_wrong").status_code == 403
        answer = page.sign_in(key, next="/ui/files")
        assert (answer.status_code, answer.headers["location"]) == (303, "/ui/files")
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert key not in cookie
        assert "Project alpha" in page.text("/")
        assert page.send("/ui/sign-out").headers["location"] == SIGN_IN
        assert page.get("/").status_code == 303


@pytest.mark.parametrize("wanted", ["https://evil.example/", "//evil.example", "/v1beta/models"])
def test_a_way_out_of_the_page_is_not_followed(server: LocalServer, wanted: str) -> None:
    key = new_key(server, "alpha")
    with page_of(server) as page:
        assert page.sign_in(key, next=wanted).headers["location"] == "/"


def test_behind_tls_the_cookie_is_for_tls_alone(open_test_server: OpenServer) -> None:
    server = open_test_server(public_url="https://batch.example")
    key = new_key(server, "alpha")
    with page_of(server) as page:
        assert "secure" in page.sign_in(key).headers["set-cookie"].lower()


def test_a_session_ends_with_its_key(server: LocalServer) -> None:
    key = new_key(server, "alpha")
    with page_of(server, key) as page:
        assert page.get("/").status_code == 200
        server.call(server.server.keys.revoke(key[:10]))
        assert page.get("/").status_code == 303


def test_a_session_lives_for_twelve_hours(open_test_server: OpenServer) -> None:
    clock = FakeClock()
    server = open_test_server(clock=clock)
    with page_of(server, new_key(server, "alpha")) as page:
        clock.advance(timedelta(hours=11))
        assert page.get("/").status_code == 200
        clock.advance(timedelta(hours=2))
        assert page.get("/").status_code == 303


def test_a_cookie_that_was_changed_opens_nothing(server: LocalServer) -> None:
    with page_of(server, new_key(server, "alpha")) as page:
        session = page.http.cookies["toplu_session"]
        other = "b" if session[0] == "a" else "a"
        page.http.cookies.clear()
        page.http.cookies.set("toplu_session", other + session[1:])
        assert page.get("/").status_code == 303


def test_a_form_is_taken_from_who_was_given_it_alone(server: LocalServer) -> None:
    mine, theirs = new_key(server, "alpha"), new_key(server, "beta")
    with page_of(server, mine) as page, page_of(server, theirs) as other:
        for token in ("", "0" * 64, other.token()):
            assert page.send("/ui/sign-out", token=token).status_code == 403
        foreign = {"Origin": "https://evil.example"}
        fields = {"token": page.token()}
        answer = page.http.post("/ui/sign-out", data=fields, headers=foreign)
        assert answer.status_code == 403
        assert page.get("/").status_code == 200


def test_a_form_that_is_too_large_is_not_read(server: LocalServer) -> None:
    with page_of(server) as page:
        answer = page.send("/ui/models", model="echo", prompt="x" * 2_000_000)
    assert answer.status_code == 400


def test_two_projects_see_nothing_of_each_other(server: LocalServer) -> None:
    alpha, beta = new_key(server, "alpha"), new_key(server, "beta")
    with http_of(server, alpha) as http:
        batch = create_inline(http, [{"request": asking("secret of alpha")}])["name"]
    path = f"/ui/{batch}"
    with page_of(server, alpha) as page:
        assert page.get(path).status_code == 200
    with page_of(server, beta) as page:
        for gone in (path, f"{path}/results", f"{path}/receipt", f"/ui/events/{batch[8:]}"):
            assert page.get(gone).status_code == 404
        for deed in ("cancel", "retry", "delete"):
            assert page.send(f"{path}/{deed}").status_code == 404
        assert batch[8:] not in page.get("/ui/batches").text
        page.http.cookies.set("toplu_project", "alpha")
        assert page.get(path).status_code == 404
        assert page.send("/ui/project", project="alpha").status_code == 403
    with page_of(server, alpha) as page:
        assert page.get(path).status_code == 200


def test_an_operator_looks_at_each_project_and_makes_keys(server: LocalServer) -> None:
    new_key(server, "beta")
    with page_of(server, new_key(server, "alpha", is_operator=True)) as page:
        assert "Project beta" not in page.text("/")
        assert page.send("/ui/project", project="beta").status_code == 303
        assert "Usage of beta" in page.text("/ui/usage")
        made = page.send("/ui/usage/keys", project="beta", label="for tests")
        assert "shown this once" in made.text
    with page_of(server, new_key(server, "beta")) as page:
        assert page.send("/ui/usage/keys", project="beta", label="x").status_code == 403


def test_the_page_is_there_only_if_it_is_wanted(open_test_server: OpenServer) -> None:
    server = open_test_server(dashboard=False)
    with page_of(server) as page:
        answer = page.get("/")
    assert (answer.status_code, answer.json()["error"]["status"]) == (404, "NOT_FOUND")
