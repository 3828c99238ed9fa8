"""The tree keeps the shape that makes it readable."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
SRC = ROOT / "src" / "toplu"
UNIT = ROOT / "tests" / "unit"
LINES_MAX = 300  # of a file
FUNCTION_LINES_MAX = 40
FOLDER_FILES_MAX = 12
LISTS_OF_ONE_KIND = {"api/gemini", "cli", "store/rows", "wire/gemini"}
MIGRATIONS = "store/rows/migrations/versions"
BANNED_NAMES = {"utils", "helpers", "common", "core", "base", "types", "misc", "manager", "stuff"}
QUESTION_WORDS = {"What", "Who", "Whose", "Where", "How", "When", "Which", "Why"}


def sources() -> Iterator[Path]:
    for folder in ("src", "tests", "benchmarks", "examples"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            if "node_modules" not in path.parts:
                yield path


def product() -> Iterator[tuple[str, ast.Module]]:
    """Yield each module of the product with its path below the package."""
    for path in sorted(SRC.rglob("*.py")):
        yield path.relative_to(SRC).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def functions_of(parent: ast.AST, place: str = "") -> Iterator[tuple[str, int]]:
    """Yield the qualified name and the length in lines of each function below the node."""
    for node in ast.iter_child_nodes(parent):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            name = f"{place}.{node.name}".removeprefix(".")
            if not isinstance(node, ast.ClassDef) and node.end_lineno is not None:
                yield name, node.end_lineno - node.lineno + 1
            yield from functions_of(node, name)
        else:
            yield from functions_of(node, place)


def test_no_file_is_too_long_to_read() -> None:
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines())
        for path in sources()
    }
    assert {path: length for path, length in lengths.items() if length >= LINES_MAX} == {}


def test_no_function_of_ours_is_too_long_to_see_whole() -> None:
    long = {
        f"{path}:{name}"
        for path, module in product()
        for name, length in functions_of(module)
        if length > FUNCTION_LINES_MAX
    }
    assert sorted(long) == []


def test_no_folder_of_ours_holds_more_than_one_sees_at_once() -> None:
    counts: dict[str, int] = {}
    for path, _ in product():
        folder, _, name = path.rpartition("/")
        counts[folder] = counts.get(folder, 0) + (name != "__init__.py")
    full = {folder for folder, count in counts.items() if count > FOLDER_FILES_MAX}
    assert sorted(full - LISTS_OF_ONE_KIND - {MIGRATIONS}) == []


def docstrings(module: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield the name of each thing in the module that has a docstring, and its first word."""
    things = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    for node in ast.walk(module):
        if isinstance(node, things) and (text := ast.get_docstring(node)):
            yield getattr(node, "name", "module"), text.split()[0]


def test_a_docstring_begins_with_a_subject_or_a_verb() -> None:
    assert [
        f"{path.relative_to(ROOT)}:{name}"
        for path in sources()
        for name, word in docstrings(ast.parse(path.read_text(encoding="utf-8")))
        if word in QUESTION_WORDS
    ] == []


def test_every_file_is_named_after_what_it_is() -> None:
    assert [path for path in sources() if path.stem in BANNED_NAMES] == []


def test_unit_tests_mirror_the_source() -> None:
    # `unit/batch/test_janitor.py` tests `batch/janitor.py`; `test_janitor_disks.py` may as well.
    lost = [
        path.relative_to(UNIT).as_posix()
        for path in sorted(UNIT.rglob("test_*.py"))
        if not any(
            f"{path.stem}_".startswith(f"test_{source.stem}_")
            for source in (SRC / path.parent.relative_to(UNIT)).glob("*.py")
        )
    ]
    assert lost == []


def test_every_decision_has_a_number_of_its_own() -> None:
    records = sorted((ROOT / "docs" / "decisions").glob("0*.md"))
    numbers = [int(record.name.partition("-")[0]) for record in records]
    assert len(set(numbers)) == len(numbers) > 0
    for number, record in zip(numbers, records, strict=True):
        assert record.read_text(encoding="utf-8").startswith(f"# {number}. "), record.name
