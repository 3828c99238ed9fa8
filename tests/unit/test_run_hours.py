"""The hours in which batches run: over midnight, and where clocks are changed."""

from datetime import UTC, datetime, timedelta

import pytest

from toplu.run_hours import RunHours

BERLIN = "Europe/Berlin"  # in winter an hour before UTC, in summer two
NIGHT = RunHours.of("22:00-06:00", BERLIN)


def utc(month: int, day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


def hours(count: float) -> timedelta:
    return timedelta(hours=count)


@pytest.mark.parametrize(
    ("moment", "opens"),
    [
        (utc(1, 10, 20, 59), utc(1, 10, 21)),
        (utc(1, 10, 21), utc(1, 10, 21)),
        (utc(1, 10, 23, 30), utc(1, 10, 23, 30)),  # the next day in Berlin
        (utc(1, 11, 4, 59), utc(1, 11, 4, 59)),
        (utc(1, 11, 5), utc(1, 11, 21)),
        (utc(7, 10, 20), utc(7, 10, 20)),  # an hour earlier in summer
        (utc(7, 11, 4), utc(7, 11, 20)),
    ],
)
def test_a_night_begins_and_ends_by_the_clocks_of_its_place(
    moment: datetime, opens: datetime
) -> None:
    assert NIGHT.next_open(moment) == opens
    assert NIGHT.is_open(moment) == (moment == opens)


@pytest.mark.parametrize(("month", "day", "length"), [(3, 28, 7), (6, 1, 8), (10, 24, 9)])
def test_a_night_in_which_clocks_are_changed_is_an_hour_shorter_or_longer(
    month: int, day: int, length: int
) -> None:
    noon = utc(month, day, 12)
    assert NIGHT.open_between(noon, noon + hours(24)) == hours(length)
    opens = NIGHT.next_open(noon)
    assert NIGHT.after(noon, hours(length)) == opens + hours(length)
    # A minute more has to wait for the next evening.
    assert NIGHT.after(noon, hours(length) + timedelta(minutes=1)) > noon + hours(24)


def test_a_time_that_a_clock_shows_twice_is_the_first_of_both() -> None:
    early = RunHours.of("01:00-02:30", BERLIN)
    assert early.is_open(utc(10, 25, 0, 29))  # 02:29 in summer time
    assert not early.is_open(utc(10, 25, 0, 30))
    assert not early.is_open(utc(10, 25, 1, 15))  # 02:15 again


def test_a_time_that_a_clock_skips_is_as_if_it_had_not_been_changed_yet() -> None:
    early = RunHours.of("02:30-05:00", BERLIN)
    assert early.next_open(utc(3, 29, 0)) == utc(3, 29, 1, 30)


def test_time_goes_on_in_the_hours_alone() -> None:
    noon = utc(6, 1, 10)
    lunch = RunHours.of("12:00-13:00", BERLIN)
    assert lunch.after(noon, timedelta()) == noon
    assert lunch.after(noon, hours(2.5)) == noon + hours(48.5)
    assert lunch.open_between(noon + hours(0.5), noon + hours(24.25)) == hours(0.75)
    assert lunch.open_between(noon, noon - hours(1)) == timedelta()
    # Nobody waits for the end of what takes years.
    assert lunch.after(noon, hours(100_000)) > noon + timedelta(days=365)


@pytest.mark.parametrize(
    ("text", "zone", "words"),
    [
        ("22-6", BERLIN, "22:00-06:00"),
        ("24:00-06:00", BERLIN, "no part of a day"),
        ("22:00-22:00", BERLIN, "leave it out"),
        ("22:00-06:00", "Europe/Nowhere", "no time zone"),
        ("22:00-06:00", "../etc/passwd", "no time zone"),
        ("22:00-06:00", "", "no time zone"),
    ],
)
def test_what_is_no_part_of_a_day_is_refused(text: str, zone: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        RunHours.of(text, zone)


def test_people_read_them_with_their_zone() -> None:
    assert str(NIGHT) == "22:00-06:00 Europe/Berlin"
