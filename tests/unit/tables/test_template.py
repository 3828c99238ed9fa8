"""Prompts made of the columns of a row."""

import re

import pytest

from toplu.errors import ConfigurationError
from toplu.tables.template import Template

COLUMNS = ("title", "a text: {odd}", "n", "x.y")


def test_cells_stand_where_their_columns_are_named() -> None:
    template = Template('Say {n} as {{"n": {n}}} of {title}{x.y}.', COLUMNS)
    row = ["Ütopia {n}", "", 3, None]
    assert template.fill(row) == 'Say 3 as {"n": 3} of Ütopia {n}.'


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (True, "true"),
        (1.5, "1.5"),
        (float("nan"), ""),
        (["a", 1], '["a",1]'),
        ({"b": None}, '{"b":null}'),
    ],
)
def test_cells_of_every_type_have_a_text(cell: object, text: str) -> None:
    assert Template("{title}|{n}", COLUMNS).fill(["x", "", cell, ""]) == f"x|{text}"


def test_a_row_without_anything_to_put_in_has_no_prompt() -> None:
    template = Template("Translate {title}: {n}", COLUMNS)
    assert template.fill([" ", "there", None, "there"]) is None
    assert template.fill([" ", "", 0, ""]) == "Translate  : 0"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{titel}", "names `{titel}`, which is no column; the columns are `title`"),
        ("{}", "names `{}`"),
        ("{n!r}", "names `{n!r}`"),
        ("a } b {n}", "has a `}` alone at character 3; write `}}`"),
        ("{n} {", "has a `{` alone at character 5"),
        ("nothing", "names no column"),
        ("{{n}}", "names no column"),
    ],
)
def test_a_template_that_is_wrong_is_refused(text: str, told: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(told)):
        Template(text, COLUMNS)
