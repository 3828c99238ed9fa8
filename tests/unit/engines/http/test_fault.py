from datetime import UTC, datetime

import pytest

from toplu.engines.http.fault import read_retry_after

NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("0", 0.0),
        ("7", 7.0),
        ("1.5", 1.5),
        ("-3", 0.0),
        ("nan", 0.0),
        ("1e9", 300.0),
        ("inf", 300.0),
        ("Tue, 24 Nov 2026 12:00:20 GMT", 20.0),
        ("Tue, 24 Nov 2026 11:00:00 GMT", 0.0),
        ("Wed, 25 Nov 2026 12:00:00 GMT", 300.0),
    ],
)
def test_a_retry_after_is_read_as_seconds_or_a_date_and_capped(
    value: str | None, seconds: float | None
):
    assert read_retry_after(value, NOW, 300.0) == seconds
