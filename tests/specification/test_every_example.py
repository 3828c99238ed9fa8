"""The README names every example, and the tests that it says run them."""

import ast
import re
from pathlib import Path

HERE = Path(__file__).parent
NAMED = set(re.findall(r"`([^`]+)`", (HERE / "README.md").read_text(encoding="utf-8")))
SUFFIXES = {".py", ".mjs", ".sh"}


def test_every_example_is_named_and_every_name_is_an_example() -> None:
    examples = {
        f"{folder}/{path.name}"
        for folder in ("python", "javascript", "rest")
        for path in (HERE / folder).iterdir()
        if path.suffix in SUFFIXES
    }
    assert {name for name in NAMED if "/" in name and Path(name).suffix in SUFFIXES} == examples


def test_every_test_that_is_named_exists() -> None:
    tests = {
        node.name
        for path in HERE.glob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef)
    }
    named = {name for name in NAMED if name.startswith("test_")}
    assert len(named) > 15
    assert named <= tests
