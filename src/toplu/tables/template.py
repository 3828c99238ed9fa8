"""Prompts made of the columns of a row: `Translate {title}: {text}`; `{{` and `}}` are braces."""

import re
from collections.abc import Sequence

from toplu.errors import ConfigurationError
from toplu.tables.table import Row, text_of

_PIECE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


class Template:
    """A text with places for the cells of a row."""

    def __init__(self, text: str, columns: Sequence[str], *, may_be_the_same: bool = False) -> None:
        """ConfigurationError if a brace is alone, or names what is no column, or none does.

        `may_be_the_same` allows a text that is the same for all rows.
        """
        self._texts = [""]
        self._places: list[int] = []  # of columns, each behind the text of the same index
        end = 0
        for piece in _PIECE.finditer(text):
            self._texts[-1] += text[end : piece.start()]
            end = piece.end()
            if piece[0] in ("{{", "}}"):
                self._texts[-1] += piece[0][0]
                continue
            if piece[1] is None:
                raise ConfigurationError(
                    f"the prompt has a `{piece[0]}` alone at character {piece.start() + 1}; "
                    f"write `{piece[0] * 2}` for one that is no column"
                )
            self._places.append(_place_of(piece[1], columns))
            self._texts.append("")
        self._texts[-1] += text[end:]
        if not self._places and not may_be_the_same:
            raise ConfigurationError(
                "the prompt names no column, so every row would ask the same; "
                f"the columns are {_list_of(columns)}"
            )

    def fill(self, row: Row) -> str | None:
        """Return the prompt of the row, None if all the cells that it takes are blank."""
        cells = [text_of(row[place]) for place in self._places]
        if cells and not any(map(str.strip, cells)):
            return None
        pieces = [text for pair in zip(self._texts, [*cells, ""], strict=True) for text in pair]
        return "".join(pieces)


def _place_of(name: str, columns: Sequence[str]) -> int:
    if name not in columns:
        raise ConfigurationError(
            f"the prompt names `{{{name}}}`, which is no column; the columns are "
            f"{_list_of(columns)}; write `{{{{{name}}}}}` for these words themselves"
        )
    return columns.index(name)


def _list_of(columns: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in columns)
