"""Pages out: templates, filled, with the headers that let a browser run nothing but our own.

Whatever a client wrote is text: Jinja2 escapes all that is put into a template.
"""

import hashlib
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any

import jinja2
from starlette.responses import HTMLResponse

from toplu import money
from toplu.api.dashboard.visitor import Visitor

HERE = files("toplu.api.dashboard")
STATIC = str(HERE / "static")
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    # With `no-referrer`, browsers would not say either from which page a form is.
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
TEXT_MAX = 300  # characters of what a client wrote, where it stands in a row
KIBI = 1024
NONE = "\N{EN DASH}"
PAGES = (
    ("/", "Overview"),
    ("/ui/batches", "Batches"),
    ("/ui/new", "New"),
    ("/ui/files", "Files"),
    ("/ui/models", "Models"),
    ("/ui/webhooks", "Webhooks"),
    ("/ui/usage", "Usage"),
    ("/ui/audit", "Audit"),
)


def render(
    template: str, visitor: Visitor | None, *, status: int = 200, path: str = "", **context: Any
) -> HTMLResponse:
    """Return a page; `path` is the one among PAGES that it belongs to."""
    text = fill(template, visitor=visitor, pages=PAGES, path=path, **context)
    return HTMLResponse(text, status_code=status, headers=HEADERS)


def fill(template: str, **context: Any) -> str:
    """Return a template, filled."""
    return _templates().get_template(template).render(context)


@cache
def _templates() -> jinja2.Environment:
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(str(HERE / "templates")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {
        "cut": cut,
        "many": many,
        "size": size,
        "moment": moment,
        "clock": clock,
        "amount": amount,
        "share": share,
        "duration": duration,
    }
    templates.globals |= {"version": static_version()}
    return templates


@cache
def static_version() -> str:
    """Return what changes when a static file does, so that browsers may keep them."""
    digest = hashlib.sha256()
    for name in ("toplu.css", "toplu.js"):
        digest.update((HERE / "static" / name).read_bytes())
    return digest.hexdigest()[:12]


def cut(text: object, longest: int = TEXT_MAX) -> str:
    """Return a text that is not longer than that."""
    whole = str(text)
    return whole if len(whole) <= longest else f"{whole[: longest - 1]}…"


def many(count: int) -> str:
    """Return a number for people."""
    return f"{count:,}"


def size(count: int) -> str:
    """Return a number of bytes for people."""
    rest = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if rest < KIBI or unit == "GiB":
            return f"{rest:.0f} {unit}" if unit == "B" else f"{rest:.1f} {unit}"
        rest /= KIBI
    raise AssertionError("the last unit is for all the rest")


def moment(at: datetime | None) -> str:
    """Return a moment in UTC, to the minute."""
    return NONE if at is None else f"{at:%Y-%m-%d %H:%M}"


def clock(at: datetime | None) -> str:
    """Return the time of day in UTC."""
    return NONE if at is None else f"{at:%H:%M}"


def amount(units: int) -> str:
    """Return an amount of money, without its currency."""
    return money.as_text(units)


def duration(seconds: float) -> str:
    """Return a time that passed, to two digits where it is short."""
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def share(parts: float) -> str:
    """Return a part of one as a percentage."""
    return f"{parts:.0%}"
