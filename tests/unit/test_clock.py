from datetime import UTC, datetime, timedelta, timezone

from toplu.clock import LOWER_ALPHANUMERIC, random_id, timestamp


def test_ids_use_the_whole_alphabet_and_do_not_repeat() -> None:
    ids = {random_id(34) for _ in range(200)}
    assert len(ids) == 200
    assert {len(name) for name in ids} == {34}
    assert set("".join(ids)) == set(LOWER_ALPHANUMERIC)


def test_times_are_written_in_utc_with_six_digits() -> None:
    moment = datetime(2026, 11, 22, 13, 0, tzinfo=timezone(timedelta(hours=3)))
    assert timestamp(moment) == "2026-11-22T10:00:00.000000Z"
    assert timestamp(datetime(1, 1, 1, tzinfo=UTC)).endswith("T00:00:00.000000Z")
