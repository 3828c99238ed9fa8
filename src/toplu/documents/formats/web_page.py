"""HTML to readable text that keeps what the layout says: headings, lists, tables, quotes, code.

Scripts and styles are left out, and no link is followed. Only `documents.child` reads pages: the
parser of the standard library takes quadratic time for some that are made for it.
"""

import re
from html.parser import HTMLParser

SKIPPED = frozenset({"script", "style", "template", "noscript", "svg", "math", "iframe", "object"})
HEADINGS = {f"h{level}": "#" * level + " " for level in range(1, 7)}
BLOCK_NAMES = (
    "address article aside blockquote body caption center dd details dialog div dl dt fieldset "
    "figcaption figure footer form header hr html legend main nav ol p pre section summary table "
    "tbody tfoot thead title tr ul"
)
BLOCKS = frozenset(BLOCK_NAMES.split()) | frozenset(HEADINGS)
PARAGRAPHS = frozenset(HEADINGS) | {"p", "ul", "ol", "table", "pre", "blockquote", "title", "dl"}
CELLS = frozenset({"td", "th"})
LIST_DEPTH_MAX = 8

SPACES = re.compile(r"\s+")
EMPTY_LINES = re.compile(r"\n{3,}")


class PageText(HTMLParser):
    """Collects the text of one page."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._out: list[str] = []
        self._line: list[str] = []
        self._skipping: str | None = None
        self._skip_depth = 0
        self._preformatted = 0
        self._lists: list[int | None] = []  # the next number, or None where there are bullets
        self._cells = 0

    @property
    def text(self) -> str:
        self._end_line()
        return EMPTY_LINES.sub("\n\n", "".join(self._out)).strip("\n")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._skipping is not None:
            self._skip_depth += tag == self._skipping
        elif tag in SKIPPED:
            self._skipping, self._skip_depth = tag, 1
        elif tag == "br":
            self._end_line()
        elif tag == "li":
            self._begin_item()
        elif tag in CELLS:
            self._line.append(" | " if self._cells else "")
            self._cells += 1
        elif tag == "img" and (description := dict(attrs).get("alt")):
            self.handle_data(description)
        elif tag in BLOCKS:
            self._begin_block(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        # `<script/>` skips nothing in XHTML, and `<div/>` is only a beginning in HTML.
        if tag not in SKIPPED:
            self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if self._skipping is not None:
            self._skip_depth -= tag == self._skipping
            if not self._skip_depth:
                self._skipping = None
        elif tag in {"ul", "ol"} and self._lists:
            self._lists.pop()
            self._end_paragraph(tag)
        elif tag == "pre":
            self._end_paragraph(tag)
            self._preformatted = max(0, self._preformatted - 1)
        elif tag in BLOCKS or tag == "li":
            self._end_paragraph(tag)

    def handle_data(self, data: str) -> None:
        if self._skipping is None:
            self._line.append(data if self._preformatted else SPACES.sub(" ", data))

    def _begin_block(self, tag: str) -> None:
        self._end_paragraph(tag)
        if tag in HEADINGS:
            self._line.append(HEADINGS[tag])
        elif tag == "pre":
            self._preformatted += 1
        elif tag in {"ul", "ol"}:
            self._lists.append(1 if tag == "ol" else None)
        elif tag == "blockquote":
            self._line.append("> ")

    def _begin_item(self) -> None:
        self._end_line()
        number = self._lists[-1] if self._lists else None
        indent = "  " * min(LIST_DEPTH_MAX, max(0, len(self._lists) - 1))
        self._line.append(f"{indent}- " if number is None else f"{indent}{number}. ")
        if number is not None:
            self._lists[-1] = number + 1

    def _end_paragraph(self, tag: str) -> None:
        self._end_line()
        # A list inside a list stays with its item.
        if tag in PARAGRAPHS and not self._lists:
            self._out.append("\n")

    def _end_line(self) -> None:
        self._cells = 0
        joined = "".join(self._line)
        self._line.clear()
        if self._preformatted:
            self._out.append(joined.rstrip("\n") + "\n" if joined.strip() else "")
            return
        # The indent of a list's item is kept, other space is only where words were apart.
        line = joined.rstrip()
        stripped = line.lstrip()
        indent = line[: len(line) - len(stripped)] if self._lists else ""
        if stripped:
            self._out.append(indent + SPACES.sub(" ", stripped) + "\n")


def read_page(page: str) -> str:
    """Return the readable text of an HTML page."""
    parser = PageText()
    parser.feed(page)
    parser.close()
    return parser.text
