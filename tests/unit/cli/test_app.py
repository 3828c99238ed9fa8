"""The command line: what it imports before a command is known, and how commands are found."""

import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from toplu.cli.app import app
from toplu.cli.lazy import HELP

# The help of the whole costs what these cost; whatever is added here is paid at every start.
ALLOWED = {"annotated_doc", "shellingham", "toplu", "typer"}
TOPLU = {"toplu", "toplu.cli", "toplu.cli.app", "toplu.cli.lazy", "toplu.errors"}
IMPORTED = """
import sys
from toplu.cli.app import app
try:
    app(["--help"])
except SystemExit:
    pass
print(*sorted(sys.modules), sep="\\n", file=sys.stderr)
"""
COMMANDS = tuple(HELP)


def test_help_imports_nothing_that_it_does_not_need() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", IMPORTED], capture_output=True, text=True, check=True
    )
    imported = set(ran.stderr.split())
    others = {name.partition(".")[0] for name in imported} - sys.stdlib_module_names
    hidden = {name for name in others if name.startswith("_")}
    assert others - hidden - {"sitecustomize", "usercustomize"} <= ALLOWED
    assert {name for name in imported if name.partition(".")[0] == "toplu"} == TOPLU
    assert not {"asyncio", "json", "rich", "sqlalchemy"} & imported


@pytest.mark.parametrize("name", COMMANDS)
def test_the_line_of_help_is_the_command_s_own(name: str) -> None:
    group = typer.main.get_command(app)
    own = group.commands[name].help  # type: ignore[attr-defined]
    assert own.startswith(group.commands.help_of(name).rstrip("."))  # type: ignore[attr-defined]
    listed = CliRunner().invoke(app, ["--help"]).output
    assert f"{name} " in listed
    assert group.commands.help_of(name)[:40] in listed  # type: ignore[attr-defined]


def test_a_misspelled_command_is_answered_with_the_right_one() -> None:
    ran = CliRunner().invoke(app, ["modles"])
    assert ran.exit_code == 2
    assert "Did you mean 'models'?" in ran.output


def test_each_command_has_help_of_its_own() -> None:
    for name in (*COMMANDS, "serve", "version"):
        ran = CliRunner().invoke(app, [name, "--help"])
        assert ran.exit_code == 0, ran.output
        assert f"Usage: toplu {name}" in ran.output or f"Usage: root {name}" in ran.output
