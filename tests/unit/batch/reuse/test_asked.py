"""The header of a create call."""

import pytest

from toplu.batch.reuse.asked import reuse_asked
from toplu.errors import InvalidArgument


@pytest.mark.parametrize(
    ("headers", "asked"),
    [
        ({}, None),
        ({"X-Toplu-Reuse": "project"}, True),
        ({"X-Toplu-Reuse": " Project "}, True),
        ({"X-Toplu-Reuse": "never"}, False),
    ],
)
def test_a_call_asks_for_one_of_the_two_or_for_none(
    headers: dict[str, str], asked: bool | None
) -> None:
    assert reuse_asked(headers) is asked


def test_another_word_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="X-Toplu-Reuse must be one of: never, project"):
        reuse_asked({"X-Toplu-Reuse": "always"})
