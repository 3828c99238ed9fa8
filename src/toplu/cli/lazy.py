"""A group of commands of which only the one that is called is imported."""

import importlib
from collections.abc import Iterator, MutableMapping
from typing import Any

import typer
from typer.core import TyperGroup

# The module and the name in it of a Typer application, or of the function of one command.
LAZY = {
    "run": "toplu.cli.run:run",
    "check": "toplu.cli.check:check",
    "api": "toplu.cli.processes:api",
    "worker": "toplu.cli.processes:worker",
    "migrate": "toplu.cli.processes:migrate",
    "batches": "toplu.cli.batches:app",
    "files": "toplu.cli.files:app",
    "watch": "toplu.cli.batches:watch",
    "init": "toplu.cli.doctor:init",
    "doctor": "toplu.cli.doctor:doctor",
    "backup": "toplu.cli.backup:backup",
    "restore": "toplu.cli.backup:restore",
    "keys": "toplu.cli.keys:app",
    "models": "toplu.cli.models:app",
    "search": "toplu.cli.search:app",
    "projects": "toplu.cli.projects:app",
    "usage": "toplu.cli.usage:show_usage",
    "webhooks": "toplu.cli.webhooks:app",
    "audit": "toplu.cli.audit:audit",
}
# The same words as the commands' own help, which is not imported for a list of them.
HELP = {
    "run": "Ask each row of a file, and write the file with the answers.",
    "check": "Say what a file would be as a batch: faults, tokens, duplicates, cost and time.",
    "api": "Answer calls, beside workers that are run by themselves.",
    "worker": "Work on batches and calls, beside an api that is run by itself.",
    "migrate": "Bring a data folder up to date for this version, while nothing runs on it.",
    "batches": "Work with the batches of a running server.",
    "files": "Work with the files of a running server.",
    "watch": "Show what batches wait for until they end.",
    "init": "Write settings for what is found here: model servers, files that are named, hardware.",
    "doctor": "Look for what is in the way of a server here, and say what mends it.",
    "backup": "Copy all that a server keeps, while it runs; the copy is one moment of it.",
    "restore": "Put a backup back, into a data folder that is empty or not there.",
    "keys": "Make, list and revoke API keys.",
    "models": "List the catalogue, fetch model files and ask models.",
    "search": "Add, list and remove documents to search in.",
    "projects": "Show projects, change their tiers, delete them.",
    "usage": "Show tokens and cost by project, model and day.",
    "webhooks": "Make and look after webhooks: who is told when batches end.",
    "audit": "Show who created, ended, deleted and read things, and changed keys.",
}


class LazyCommands(MutableMapping[str, Any]):
    """The commands by name: those that are here, then those that are imported when asked for."""

    def __init__(self, loaded: MutableMapping[str, Any]) -> None:
        self._loaded = dict(loaded)

    def __getitem__(self, name: str) -> Any:
        if name not in self._loaded:
            self._loaded[name] = _load(LAZY[name])
        return self._loaded[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self._loaded[name] = command

    def __delitem__(self, name: str) -> None:
        del self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter({**self._loaded, **LAZY})

    def __len__(self) -> int:
        return len({**self._loaded, **LAZY})

    def help_of(self, name: str) -> str:
        """Return the line of help, without importing the command for it."""
        return HELP[name] if name in HELP else self._loaded[name].get_short_help_str(80)


class LazyGroup(TyperGroup):
    """The group of all commands."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._lazy = LazyCommands(self.commands)
        self.commands = self._lazy  # a mapping is all that is asked of it

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, self._lazy.help_of(name)) for name in self._lazy])


def _load(place: str) -> Any:
    module, _, name = place.partition(":")
    found = getattr(importlib.import_module(module), name)
    if not isinstance(found, typer.Typer):
        function, found = found, typer.Typer(add_completion=False, rich_markup_mode=None)
        found.command()(function)
    return typer.main.get_command(found)
