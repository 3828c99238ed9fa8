import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from toplu.errors import ConfigurationError
from toplu.store.search_index import Collection, Passage, SearchIndex, _interruptibly

ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


def a_collection(name: str) -> Collection:
    return Collection(name=name, path=f"/{name}", documents=0, added="2026-11-22T12:00:00Z")


def a_document(title: str, *texts: str) -> list[Passage]:
    return [Passage(title=title, uri=f"u:{title}", text=text) for text in texts]


async def test_each_document_is_found_once_by_its_best_passage(tmp_path: Path) -> None:
    passages = SearchIndex(tmp_path / "search.db")
    documents = [
        a_document("a", "rain and snow and much else", "rain, rain, rain", "sun"),
        a_document("b", "some rain fell on a long and otherwise dry day in the south"),
        a_document("rain", "nothing of it"),
        a_document("c", "sun"),
    ]
    passages.put(a_collection("weather"), documents)
    found = await passages.find(["rain"], 10)
    assert {each.title: each.text for each in found} == {
        "a": "rain, rain, rain",
        "rain": "nothing of it",
        "b": documents[1][0].text,
    }
    assert found[-1].title == "b"
    assert len(await passages.find(["rain"], 2)) == 2
    assert await passages.find([], 2) == await passages.find(['"', "NOT"], 2) == []


async def test_words_are_found_by_their_stem_and_without_their_accents(tmp_path: Path) -> None:
    passages = SearchIndex(tmp_path / "search.db")
    passages.put(a_collection("x"), [a_document("t", "Clouds over the Brûlée winning team")])
    for word in ("cloud", "brulee", "wins"):
        assert len(await passages.find([word], 1)) == 1


async def test_a_cancelled_search_stops(tmp_path: Path) -> None:
    with closing(SearchIndex(tmp_path / "search.db")._connect()) as connection:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await _interruptibly(connection, lambda: connection.execute(ENDLESS).fetchall())
        assert not connection.in_transaction


def test_an_index_of_a_newer_version_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "search.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(ConfigurationError, match="newer version"):
        SearchIndex(path).put(a_collection("x"), [])
