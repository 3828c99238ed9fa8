"""Time limits as people and clusters write them."""

import pytest

from toplu.errors import ConfigurationError
from toplu.oneshot.stops import reserve_of, seconds_of


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("3:50:00", 13_800),
        ("1-00:00:30", 86_430),
        ("50:00", 3_000),
        ("90m", 5_400),
        ("2h", 7_200),
        ("45s", 45),
        ("1d", 86_400),
    ],
)
def test_a_time_is_read(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "0m", "0:00:00", "90", "3:5", "1.5h", "soon", "-1h"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="3:50:00"):
        seconds_of(text)


def test_a_part_of_the_time_is_kept_to_end_in_order() -> None:
    assert reserve_of(20.0) == 5.0
    assert reserve_of(13_800.0) == reserve_of(None) == 60.0
