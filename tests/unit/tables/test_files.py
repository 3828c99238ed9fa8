"""Tables of every form: read as other programs wrote them, written so that others read them."""

import csv
import io
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toplu.errors import ConfigurationError
from toplu.tables.files import check_written, open_table, whole_file, writer_of
from toplu.tables.table import Column, Kind

# All that UTF-8 has, but NUL, which no text file may have.
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
rows_of_texts = st.lists(st.tuples(texts, texts), min_size=1, max_size=8)
COLUMNS = (Column('first, "one"', Kind.TEXT), Column("sécond\nline", Kind.TEXT))


def written(path: Path, columns: Sequence[Column], rows: Sequence[Sequence[Any]]) -> Path:
    with whole_file(path) as file:
        writer = writer_of(path, file, columns)
        for row in rows:
            writer.write(row)
        writer.finish()
    return path


def read(path: Path) -> tuple[list[str], list[list[Any]]]:
    table = open_table(path)
    return [column.name for column in table.columns], [list(row) for row in table.rows()]


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
@settings(max_examples=25)
@given(rows=rows_of_texts)
def test_a_table_is_read_as_it_was_written(
    suffix: str, rows: list[tuple[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = written(tmp_path_factory.getbasetemp() / f"whole{suffix}", COLUMNS, rows)
    assert read(path) == ([column.name for column in COLUMNS], [list(row) for row in rows])
    assert not path.with_name(f".{path.name}.part").exists()


@settings(max_examples=25)
@given(rows=rows_of_texts)
def test_csv_of_pythons_writer_is_read_and_ours_by_pythons_reader(
    rows: list[tuple[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "theirs.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([[column.name for column in COLUMNS], *rows])  # ends in CR LF
    assert read(path)[1] == [list(row) for row in rows]
    ours = written(path.with_name("ours.csv"), COLUMNS, rows)
    found = list(csv.reader(io.StringIO(ours.read_bytes().decode(), newline="")))
    assert found[1:] == [list(row) for row in rows]


def test_csv_of_arrow_is_read_and_ours_by_arrow(tmp_path: Path) -> None:
    table = pa.table({"text": ['a "quoted", one', "two\nlines", ""], "n": ["1", "2", "3"]})
    pyarrow.csv.write_csv(table, tmp_path / "theirs.csv")
    names, rows = read(tmp_path / "theirs.csv")
    assert (names, rows) == (["text", "n"], [list(row.values()) for row in table.to_pylist()])
    ours = written(tmp_path / "ours.csv", open_table(tmp_path / "theirs.csv").columns, rows)
    options = pyarrow.csv.ParseOptions(newlines_in_values=True)
    assert (
        pyarrow.csv.read_csv(ours, parse_options=options)["text"].to_pylist()
        == table["text"].to_pylist()
    )


def test_every_type_of_parquet_comes_back_as_it_was(tmp_path: Path) -> None:
    table = pa.table(
        {
            "text": pa.array(["x", None]),
            "moment": pa.array([1, None], type=pa.timestamp("ns", tz="UTC")),
            "price": pa.array(["1.50", None]).cast(pa.decimal128(9, 2)),
            "bytes": pa.array([b"\xff", None]),
            "list": pa.array([[1, 2], None], type=pa.list_(pa.int8())),
            "dates": pa.array([[1], None], type=pa.list_(pa.date32())),
            "object": pa.array([{"a": 1, "b": [True]}, None]),
            "map": pa.array([[("k", 1)], None], type=pa.map_(pa.string(), pa.int64())),
            "small": pa.array([1.5, None], type=pa.float32()),
            "unsigned": pa.array([2**64 - 1, None], type=pa.uint64()),
            "pause": pa.array([5, None], type=pa.duration("ms")),
            "nothing": pa.array([None, None], type=pa.null()),
        }
    )
    pq.write_table(table, tmp_path / "in.parquet")
    found = open_table(tmp_path / "in.parquet")
    rows = list(found.rows())
    assert pq.read_table(written(tmp_path / "out.parquet", found.columns, rows)).equals(table)
    as_json = written(tmp_path / "out.jsonl", found.columns, rows).read_text().splitlines()
    first = json.loads(as_json[0])
    assert first["price"] == "1.50"
    assert first["object"] == {"a": 1, "b": [True]}
    assert first["moment"].startswith("1970-01-01")
    assert set(json.loads(as_json[1]).values()) == {None}
    as_csv = written(tmp_path / "out.csv", found.columns, rows)
    assert read(as_csv)[1][1] == [""] * len(found.columns)


def test_a_column_of_categories_is_read_as_its_texts(tmp_path: Path) -> None:
    pq.write_table(
        pa.table({"c": pa.array(["p", "q", "p"]).dictionary_encode()}), tmp_path / "c.pq"
    )
    assert read(tmp_path / "c.pq") == (["c"], [["p"], ["q"], ["p"]])


def test_json_objects_need_not_have_the_same_members(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(
        '{"a": 1}\n\n{"b": "x", "a": 2.5}\n{"c": null, "d": [1]}\n{"e": 18446744073709551616}'
    )
    table = open_table(path)
    assert [(it.name, it.kind) for it in table.columns] == [
        ("a", Kind.NUMBER),
        ("b", Kind.TEXT),
        ("c", Kind.TEXT),
        ("d", Kind.JSON),
        ("e", Kind.JSON),
    ]
    rows = list(table.rows())
    assert rows[1] == [2.5, "x", None, None, None]
    out = pq.read_table(written(tmp_path / "out.parquet", table.columns, rows))
    assert out["a"].to_pylist() == [1.0, 2.5, None, None]
    assert out["e"].to_pylist()[3] == "18446744073709551616"


def test_lines_of_text_are_rows(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes('\ufeffone, "1"\r\n\ntwo\u2028and\n'.encode())
    assert read(path) == (["text"], [['one, "1"'], [""], ["two\u2028and"]])


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path: Path) -> None:
    path = tmp_path / "excel.csv"
    path.write_bytes(b"\xef\xbb\xbfname;x,y\r\n1,2\r\n")
    assert read(path) == (["name;x", "y"], [["1", "2"]])


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.csv", b"", "has no columns"),
        ("a.csv", b"x,y\n1,2\n\n1,2,3\n", "line 4: has 3 fields, and the header 2"),
        ("a.csv", b'x,y\n"1\n2",3\n1\n', "line 4: has 1 fields"),
        ("a.tsv", b"x\ty\n1\n", "a field with a tab in it must be quoted"),
        ("a.csv", b'x,y\n1,"2\n3,4\n', "lines 2 to 3: unexpected end of data"),
        ("a.csv", b'x,y\n"1"2,3\n', "line 2: ',' expected after '\"'"),
        ("a.csv", b"x,x\n", "two columns are named `x`"),
        ("a.csv", b"x\nfine\n\xe9t\xe9\n", "line 3, byte 1: is not UTF-8"),
        ("a.csv", "x\n".encode("utf-16"), "line 1: is UTF-16"),
        ("a.csv", b"x\na\0b\n", "line 2: has a NUL character"),
        ("a.txt", b"a\0b\n", "line 1: has a NUL character"),
        ("a.jsonl", b'{"a": 1}\n{"a": }\n', "line 2: is no JSON object"),
        ("a.jsonl", b"[1]\n", "line 1: is no JSON object"),
        ("a.jsonl", b"\n\n", "has no columns"),
        ("a.parquet", b"PAR1 it is not", "is no Parquet file"),
    ],
)
def test_a_file_that_is_no_table_is_refused_with_the_place(
    tmp_path: Path, name: str, content: bytes, told: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ConfigurationError) as refused:
        list(open_table(path).rows())
    assert told in str(refused.value)
    assert str(refused.value).startswith(str(path))


def test_a_broken_parquet_file_is_refused_after_its_last_good_row(tmp_path: Path) -> None:
    path = tmp_path / "broken.parquet"
    pq.write_table(
        pa.table({"n": list(range(5000))}), path, compression="none", row_group_size=1000
    )
    content = bytearray(path.read_bytes())
    content[10:2000] = b"\0" * 1990
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match="after row 0: cannot be read"):
        list(open_table(path).rows())


def test_parquet_without_pyarrow_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "toplu.tables.parquet", raising=False)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    for use in (check_written, open_table):
        with pytest.raises(ConfigurationError, match=r"pip install 'toplu\[tables\]'"):
            use(tmp_path / "a.parquet")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"none\.csv: cannot be read: No such file"):
        open_table(tmp_path / "none.csv")


def test_an_output_of_an_unknown_kind_is_refused(tmp_path: Path) -> None:
    check_written(tmp_path / "out.parquet")
    with pytest.raises(ConfigurationError, match=r"\.jsonl, \.csv, \.tsv, \.parquet"):
        check_written(tmp_path / "out.xlsx")


def test_a_file_that_could_not_be_finished_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("old\n")

    def fail() -> None:
        with whole_file(path) as file:
            file.write(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_text() == "old\n"
    assert [it.name for it in tmp_path.iterdir()] == ["out.csv"]


def test_many_rows_are_several_groups(tmp_path: Path) -> None:
    columns = (Column("n", Kind.INTEGER), Column("v", Kind.VECTOR))
    rows = [[n, [n / 2, 1.0]] for n in range(40_000)]
    path = written(tmp_path / "many.parquet", columns, rows)
    assert pq.ParquetFile(path).num_row_groups == 3
    long = [[n, [0.0] * 1000] for n in range(600)]
    path = written(tmp_path / "long.parquet", columns, long)
    assert pq.ParquetFile(path).num_row_groups == 3
    path = written(tmp_path / "many.parquet", columns, rows)
    assert read(path)[1] == rows
