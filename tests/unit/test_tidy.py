"""The tree keeps the shape that makes it readable."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
LINES_MAX = 300
FUNCTION_LINES_MAX = 60
BANNED_NAMES = {"utils", "helpers", "common", "core", "base", "types", "misc", "manager", "stuff"}


def sources() -> Iterator[Path]:
    for folder in ("src", "tests", "benchmarks", "examples"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            if "node_modules" not in path.parts:
                yield path


def test_no_file_is_too_long_to_read() -> None:
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines())
        for path in sources()
    }
    assert {path: length for path, length in lengths.items() if length > LINES_MAX} == {}


def test_no_function_of_ours_is_too_long_to_see_whole() -> None:
    long = {}
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
                length = node.end_lineno - node.lineno + 1
                if length > FUNCTION_LINES_MAX and node.name != "__init__":
                    long[f"{path.relative_to(ROOT)}:{node.name}"] = length
    assert long == {}


def test_every_file_is_named_after_what_it_is() -> None:
    assert [path for path in sources() if path.stem in BANNED_NAMES] == []


def test_no_two_test_modules_share_a_name() -> None:
    # pytest imports them by their bare names.
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))
