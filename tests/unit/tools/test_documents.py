from pathlib import Path

import pytest

from toplu.errors import ConfigurationError, FailedPrecondition, Unavailable
from toplu.store.search_index import Collection, SearchIndex
from toplu.tools.documents import (
    DOCUMENT_BYTES_MAX,
    PASSAGE_CHARACTERS_MAX,
    cut,
    read_documents,
    read_text,
)
from toplu.tools.local_index import LocalIndex


def a_collection(name: str) -> Collection:
    return Collection(name=name, path=f"/{name}", documents=0, added="2026-11-22T12:00:00Z")


def test_a_page_is_read_as_its_reader_sees_it():
    page = b"""<!doctype html><title>A  &amp; b</title><style>p {}</style>
      <script>alert("<p>no")</script><h1>Head</h1><p>One <b>two</b>&nbsp;three<p>Four"""
    title, text = read_text(page, ".html")
    assert title == "A & b"
    assert text.split() == ["Head", "One", "two", "three", "Four"]
    assert list(cut(text)) == ["Head One two three Four"]


def test_the_title_of_markdown_is_its_first_heading():
    assert read_text(b"x\n\n## The  title\nmore", ".md")[0] == "The  title"
    assert read_text(b"# not in plain text", ".txt")[0] == ""


def test_passages_are_bounded_and_lose_no_word():
    text = "\n\n".join(
        ["Short one.", "A sentence of some words. " * 100, "w" * 2000, "", "Last one."]
    )
    passages = list(cut(text))
    assert all(0 < len(passage) <= PASSAGE_CHARACTERS_MAX for passage in passages)
    assert "".join("".join(passages).split()) == "".join(text.split())


def test_a_folder_is_read_without_what_is_no_document_of_it(tmp_path: Path):
    outside = tmp_path / "outside.txt"
    outside.write_text("secret")
    folder = tmp_path / "docs"
    (folder / "deep er").mkdir(parents=True)
    (folder / "a.md").write_text("# Alpha\n\nfirst")
    (folder / "deep er" / "b.TXT").write_bytes(b"\xef\xbb\xbfsecond \xff\x00")
    (folder / "image.png").write_bytes(b"x")
    (folder / "link.txt").symlink_to(outside)
    (folder / "empty.txt").write_text(" \n")
    with (folder / "huge.txt").open("wb") as huge:
        huge.truncate(DOCUMENT_BYTES_MAX + 1)
    found = [
        passage for document in read_documents(folder, "document:///docs") for passage in document
    ]
    assert [(each.title, each.uri) for each in found] == [
        ("Alpha", "document:///docs/a.md"),
        ("b", "document:///docs/deep%20er/b.TXT"),
    ]
    assert found[1].text == "second \N{REPLACEMENT CHARACTER}"
    ((only,),) = read_documents(folder / "a.md", "https://x.example/")
    assert only.uri == "https://x.example/a.md"


async def test_a_collection_is_replaced_and_removed_whole(tmp_path: Path):
    passages = SearchIndex(tmp_path / "search.db")
    index = LocalIndex(passages)
    with pytest.raises(FailedPrecondition, match="toplu search add PATH"):
        await index.search("alpha", 5)
    (tmp_path / "a.txt").write_text("alpha")
    kept = passages.put(a_collection("one"), read_documents(tmp_path / "a.txt", "u:"))
    assert kept.documents == 1
    assert [page.text for page in await index.search("Alpha?", 5)] == ["alpha"]

    def broken():
        yield from read_documents(tmp_path / "a.txt", "u:")
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="gone"):
        passages.put(a_collection("one"), broken())
    assert passages.collections() == [kept]
    (tmp_path / "a.txt").write_text("beta")
    passages.put(a_collection("one"), read_documents(tmp_path / "a.txt", "u:"))
    assert await index.search("alpha", 5) == []
    assert len(await index.search("beta", 5)) == 1
    assert passages.remove("one")
    assert not passages.remove("one")
    with pytest.raises(FailedPrecondition):
        await index.search("beta", 5)


async def test_an_index_that_cannot_be_read_says_so(tmp_path: Path):
    path = tmp_path / "search.db"
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(Unavailable, match="cannot be read"):
        await LocalIndex(SearchIndex(path)).search("alpha", 5)
    with pytest.raises(ConfigurationError):
        SearchIndex(path).collections()
