"""Reads a folder of documents into passages: text, Markdown and HTML.

A file that is none of these, is too large, or is linked from elsewhere is left out.
"""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote

from toplu.store.search_index import Passage

DOCUMENT_BYTES_MAX = 4 * 1024 * 1024
DOCUMENTS_MAX = 200_000
PASSAGE_CHARACTERS_MAX = 800
TITLE_CHARACTERS_MAX = 200

TEXT_SUFFIXES = frozenset({".txt", ".text", ".rst"})
MARKDOWN_SUFFIXES = frozenset({".md", ".markdown"})
HTML_SUFFIXES = frozenset({".html", ".htm", ".xhtml"})
SUFFIXES = TEXT_SUFFIXES | MARKDOWN_SUFFIXES | HTML_SUFFIXES

HEADING = re.compile(r"^#{1,6}[ \t]+(\S[^\n]*)$", re.MULTILINE)
BLANK_LINE = re.compile(r"\n\s*\n")
SENTENCE_END = re.compile(r"(?<=[.!?…。！？])\s+")  # noqa: RUF001  # stops of other scripts
UNSEEN = frozenset({"script", "style", "noscript", "template", "svg"})
_BLOCKS = """
address article aside blockquote br dd div dl dt footer h1 h2 h3 h4 h5 h6 header hr li main
nav ol p pre section table td th tr ul
"""
BLOCKS = frozenset(_BLOCKS.split())


def read_documents(path: Path, address: str) -> Iterator[list[Passage]]:
    """Yield the passages of each document at or below `path`, in name order.

    The address of a document is `address` and its path below `path`.
    """
    files = [path] if path.is_file() else sorted(path.rglob("*"))
    count = 0
    for file in files:
        if file.suffix.lower() not in SUFFIXES or file.is_symlink() or not file.is_file():
            continue
        if file.stat().st_size > DOCUMENT_BYTES_MAX:
            continue
        below = file.name if path.is_file() else file.relative_to(path).as_posix()
        title, text = read_text(file.read_bytes(), file.suffix.lower())
        title = (title or file.stem)[:TITLE_CHARACTERS_MAX]
        uri = f"{address.rstrip('/')}/{quote(below)}"
        passages = [Passage(title=title, uri=uri, text=piece) for piece in cut(text)]
        if passages:
            yield passages
            count += 1
        if count >= DOCUMENTS_MAX:
            return


def read_text(content: bytes, suffix: str) -> tuple[str, str]:
    """Return the document's title, if it has one, and its text."""
    text = content.decode("utf-8-sig", errors="replace").replace("\x00", "")
    if suffix in HTML_SUFFIXES:
        page = _Html()
        page.feed(text)
        page.close()
        return " ".join("".join(page.title).split()), "".join(page.text)
    if suffix in MARKDOWN_SUFFIXES and (heading := HEADING.search(text)):
        return heading[1].strip(), text
    return "", text


def cut(text: str) -> Iterator[str]:
    """Yield the text in passages of at most PASSAGE_CHARACTERS_MAX, whole paragraphs if it can."""
    held = ""
    for paragraph in BLANK_LINE.split(text):
        for piece in _pieces(" ".join(paragraph.split())):
            if held and len(held) + 1 + len(piece) > PASSAGE_CHARACTERS_MAX:
                yield held
                held = ""
            held = f"{held} {piece}" if held else piece
    if held:
        yield held


def _pieces(paragraph: str) -> Iterator[str]:
    """Yield a paragraph whole, or by sentences, or, of a sentence too long, by length."""
    if len(paragraph) <= PASSAGE_CHARACTERS_MAX:
        if paragraph:
            yield paragraph
        return
    for sentence in SENTENCE_END.split(paragraph):
        for start in range(0, len(sentence), PASSAGE_CHARACTERS_MAX):
            yield sentence[start : start + PASSAGE_CHARACTERS_MAX]


class _Html(HTMLParser):
    """Collects what a reader of the page would see."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.title: list[str] = []
        self.text: list[str] = []
        self._unseen = 0
        self._in_title = False

    def handle_starttag(self, tag: str, _attributes: list[tuple[str, str | None]]) -> None:
        self._unseen += tag in UNSEEN
        self._in_title = tag == "title" and not self.title
        if tag in BLOCKS:
            self.text.append("\n\n")

    def handle_endtag(self, tag: str) -> None:
        self._unseen = max(0, self._unseen - (tag in UNSEEN))
        if tag == "title":
            self._in_title = False
        if tag in BLOCKS:
            self.text.append("\n\n")

    def handle_data(self, data: str) -> None:
        if self._unseen:
            return
        (self.title if self._in_title else self.text).append(data)
