"""The hours of each day in which batches run, as the clocks of a place show them. Pure.

They begin and end when a clock of the place shows these times, so that a night in which the clocks
are changed is an hour longer or shorter. A time that a clock shows twice is the first of both; one
that it skips is reckoned as if the clocks had not been changed yet.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Self
from zoneinfo import ZoneInfo

FORM = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")
DAY = timedelta(days=1)
# Further ahead a time says nothing.
DAYS_MAX = 400


@dataclass(frozen=True, slots=True)
class RunHours:
    """From one time of a day until another one, which may be of the next day."""

    begin: time
    end: time
    zone: ZoneInfo

    @classmethod
    def of(cls, text: str, zone: str) -> Self:
        """Return the hours of `22:00-06:00` in a zone; ValueError says what is wrong."""
        found = FORM.fullmatch(text)
        if found is None:
            raise ValueError(f"`{text}` is no part of a day, such as 22:00-06:00")
        hour, minute, end_hour, end_minute = map(int, found.groups())
        begin, end = time(hour, minute), time(end_hour, end_minute)
        if begin == end:
            raise ValueError(f"`{text}` ends when it begins: to run all day, leave it out")
        try:
            return cls(begin, end, ZoneInfo(zone))
        except (KeyError, OSError, ValueError):  # of a name that is none, by what it looks like
            raise ValueError(
                f"`{zone}` is no time zone that is known here, such as Europe/Berlin"
            ) from None

    def next_open(self, moment: datetime) -> datetime:
        """Return the moment itself if it is in the hours, else when they begin next."""
        begins, _ = next(self._from(moment))
        return max(moment, begins)

    def is_open(self, moment: datetime) -> bool:
        """Return whether the moment is in the hours."""
        return self.next_open(moment) == moment

    def open_between(self, start: datetime, end: datetime) -> timedelta:
        """Return how much of the time from `start` to `end` is in the hours."""
        total = timedelta()
        for begins, ends in self._from(start):
            if begins >= end:
                break
            total += min(ends, end) - max(begins, start)
        return total

    def after(self, moment: datetime, duration: timedelta) -> datetime:
        """Return when so much time of the hours has passed."""
        reached = moment
        for begins, ends in self._from(moment):
            reached = max(moment, begins)
            if reached + duration <= ends:
                return reached + duration
            duration -= ends - reached
        return reached + duration

    def _from(self, moment: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Yield the hours of each day as moments, from those that end after the moment."""
        first = moment.astimezone(self.zone).date() - DAY
        for days in range(DAYS_MAX):
            day = first + timedelta(days=days)
            begins = self._moment(day, self.begin)
            ends = self._moment(day if self.begin < self.end else day + DAY, self.end)
            if moment < ends and begins < ends:
                yield begins, ends

    def _moment(self, day: date, at: time) -> datetime:
        return datetime.combine(day, at, self.zone).astimezone(UTC)

    def __str__(self) -> str:
        return f"{self.begin:%H:%M}-{self.end:%H:%M} {self.zone.key}"
