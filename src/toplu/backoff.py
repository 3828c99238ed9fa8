"""The pauses before something that ended is started again: longer and longer, up to a bound."""

from datetime import timedelta

FIRST = timedelta(seconds=0.1)
LONGEST = timedelta(seconds=30)
STEADY = timedelta(minutes=1)  # what lived this long begins with a clean slate


class Backoff:
    """The pauses of one thing that is started again and again."""

    def __init__(self) -> None:
        self._next = FIRST

    def after(self, lived: timedelta) -> timedelta:
        """Return the pause after a life of that length, which is zero for a start that failed."""
        pause = FIRST if lived >= STEADY else self._next
        self._next = min(2 * pause, LONGEST)
        return pause
