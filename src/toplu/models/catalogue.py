"""The model names that exist, with the model that answers to each.

A model answers to its own name, to literal aliases and to glob aliases (`gemini-*`). An alias
that begins with `!` takes names out of the globs of its model again: `!*embedding*` keeps a
text model from answering for `gemini-embedding-001`.
"""

from collections.abc import Sequence
from fnmatch import fnmatchcase

from toplu.errors import ConfigurationError
from toplu.settings.server import ModelSettings


class Catalogue:
    """The models of this server by every name that a client may use."""

    def __init__(self, models: Sequence[ModelSettings]) -> None:
        self.models = tuple(models)
        self._literals = _literals(self.models)
        self._globs = [
            (alias, model)
            for model in self.models
            for alias in model.aliases
            if _is_glob(alias) and not _is_exclusion(alias)
        ]
        # A sort is stable, so of equally long patterns the model listed first wins.
        self._globs.sort(key=lambda entry: len(entry[0]), reverse=True)

    def resolve(self, name: str) -> ModelSettings | None:
        """Return the model for `name` (without `models/`): literal first, then longest glob."""
        if (literal := self._literals.get(name)) is not None:
            return literal
        return next(
            (
                model
                for pattern, model in self._globs
                if fnmatchcase(name, pattern) and not _excludes(model, name)
            ),
            None,
        )

    def names(self) -> list[tuple[str, ModelSettings]]:
        """Return every literal name: model by model in name order, its own name before aliases."""
        return sorted(
            self._literals.items(),
            key=lambda entry: (entry[1].name, entry[0] != entry[1].name, entry[0]),
        )


def _literals(models: Sequence[ModelSettings]) -> dict[str, ModelSettings]:
    literals = {model.name: model for model in models}
    for model in models:
        for alias in model.aliases:
            if _is_glob(alias) or _is_exclusion(alias):
                continue
            if literals.setdefault(alias, model) is not model:
                raise ConfigurationError(f"models: `{alias}` is the name of two models")
    return literals


def _is_glob(alias: str) -> bool:
    return any(character in alias for character in "*?[")


def _is_exclusion(alias: str) -> bool:
    return alias.startswith("!")


def _excludes(model: ModelSettings, name: str) -> bool:
    return any(_is_exclusion(alias) and fnmatchcase(name, alias[1:]) for alias in model.aliases)
