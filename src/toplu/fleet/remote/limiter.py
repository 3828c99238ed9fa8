"""Finds out how many requests at a time one server answers best, while it answers them.

What a server yields grows with the requests that it runs together, up to a knee; beyond it
nothing is gained, or much is lost. The knee is nowhere to be read and moves with the work, so it
is searched for. The yield of one level after another is measured and compared with the best:

    below ────────── best ────────── above       worse, best so far, no better or too much

A side that is not known is looked for in steps of two, upwards first; then the wider side is
narrowed, until the three are near each other. The best level is held, with a look to either side
now and then. A refusal is an overload if there are several in a row, or many: a single one says
nothing of the level. An overload on the level that is held may have another cause than the level,
so that it is left for a lower one, and come back to if all goes well on the way.

The yield of a level is `level · work / seconds`, summed over the requests that began and ended on
it: each of its slots made so much work in so much time. Work and seconds of a request go
together, so this is far steadier than what happens to end within a window. Nothing here reads a
clock. Sources: Little's law, the search for the peak of a unimodal function, TCP's answer to loss.
"""

import math

WINDOW_REQUESTS_MIN = 50
WINDOW_SECONDS_MIN = 1.0
FULL_SHARE_MIN = 0.9  # of a window's requests that found the limit used up
CUT = 0.6  # of a level that is too much
REFUSED_IN_A_ROW, REFUSED_SHARE = 3, 0.1  # of requests, where a level is too much
GAIN = 0.03  # what twice as many must yield more, to be better
AS_MUCH = 0.98  # of the highest yield, so that a lower level is no worse
FADING = 0.99  # of the highest yield, with each window
FINE = 1.06  # levels within this ratio of each other are alike
LOOK = 1.12  # how far a look from the level that is held goes
CHANGED = 1.3  # the ratio of two yields of one level that cannot be chance
LOOK_WINDOWS_MIN, LOOK_WINDOWS_MAX = 3, 20  # windows between two looks
INSTANT = 1e-6
SMOOTHING = 0.3  # the weight of the latest window in the yield of the level that is held


class Limiter:
    """The limit of one server; times are seconds of any clock that does not go back."""

    def __init__(self, *, first: int, most: int) -> None:
        self.limit = min(first, most)
        self.windows = 0  # that were measured
        self._most = most
        self._best: int | None = None
        self._best_yield = 0.0
        self._peak_yield = 0.0
        self._below: int | None = None
        self._above: int | None = None
        self._return_to: int | None = None  # the level that was left because of an overload
        self._climbs = False  # it has begun to come back to it
        self._look_after = LOOK_WINDOWS_MIN
        self._held = 0  # windows since the last look
        self._looks_up = False
        self._changed_at = -math.inf
        self._cut_at = -math.inf
        self._refused_in_a_row = 0
        self._refused = 0.0  # the share of the last requests
        self._window = _Window(-math.inf)

    def finished(self, *, started: float, ended: float, work: float, full: bool) -> None:
        """Note a request that was answered; `full`: it found the limit used up, or used it up."""
        self._refused_in_a_row = 0
        self._refused -= self._refused / max(WINDOW_REQUESTS_MIN, self.limit)
        if started < self._changed_at:
            return  # it ran on another level for a while
        self._window.add(started=started, ended=ended, work=work, full=full)
        if not self._window.is_complete(self._window_requests, ended):
            return
        complete, self._window = self._window, _Window(ended)
        if complete.is_full:
            self.windows += 1
            self._go_on(self.limit * complete.work / complete.seconds, ended)

    def overloaded(self, *, started: float, now: float) -> None:
        """Note a request that the server had no room for, or that it did not survive."""
        if started < self._cut_at:
            return  # it was on its way when the one before came back
        self._refused_in_a_row += 1
        self._refused += (1 - self._refused) / max(WINDOW_REQUESTS_MIN, self.limit)
        if self._refused_in_a_row < REFUSED_IN_A_ROW and self._refused < REFUSED_SHARE:
            return  # now and then a server refuses for reasons of its own
        self._refused_in_a_row, self._refused = 0, 0.0
        self._cut_at = now
        too_much, cut = self.limit, max(1, int(CUT * self.limit))
        if self._return_to is not None and self._climbs:
            # It was the level after all.
            self._return_to = None
            self._forget_from(too_much)
        elif self._return_to is None:
            if self._best is not None and too_much > self._best:
                self._above, cut = too_much, self._best
            elif self._best is not None:
                self._return_to = self._best
            else:
                self._forget_from(too_much)
        self._climbs = False
        self._set(cut, now)

    @property
    def _window_requests(self) -> int:
        # Coming back needs no measure, only that nothing goes wrong.
        return self.limit if self._return_to else max(WINDOW_REQUESTS_MIN, self.limit)

    def _go_on(self, measured: float, now: float) -> None:
        if self._return_to is not None:
            self._climbs = True
            if self.limit >= self._return_to:
                self._return_to = None
            else:
                self._set(min(self._return_to, math.ceil(self.limit / CUT)), now)
            return
        self._compare(measured)
        self._set(self._next_level(), now)

    def _compare(self, measured: float) -> None:
        level, best = self.limit, self._best
        if best is None:
            self._take(level, measured)
        elif level == best and not 1 / CHANGED < measured / self._best_yield < CHANGED:
            # It is other work, or another server. What was known of its levels is not any more.
            self._below, self._above, self._peak_yield = None, None, 0.0
            self._take(level, measured)
        elif level == best:
            self._best_yield += SMOOTHING * (measured - self._best_yield)
            # What cannot be reached any more is no measure.
            self._peak_yield = max(self._best_yield, FADING * self._peak_yield)
        elif level > best:
            if measured > self._best_yield * (1 + GAIN * math.log2(level / best)):
                self._below = best
                self._above = None if self._above is None or self._above <= level else self._above
                self._take(level, measured)
            else:
                self._above = level if self._above is None else min(level, self._above)
        elif measured >= AS_MUCH * self._peak_yield:
            self._above = best
            self._below = None if self._below is None or self._below >= level else self._below
            self._take(level, measured)
        else:
            self._below = level if self._below is None else max(level, self._below)

    def _take(self, level: int, measured: float) -> None:
        self._best, self._best_yield = level, measured
        self._peak_yield = max(measured, self._peak_yield)
        self._look_after = LOOK_WINDOWS_MIN

    def _next_level(self) -> int:
        best = self._best
        assert best is not None, "a level has been measured"
        if self._above is None and best < self._most:
            return min(2 * best, self._most)
        if self._below is None and best > 1:
            return best // 2
        wider = max(self._above or best, self._below or best, key=lambda level: _ratio(level, best))
        between = round(math.sqrt(best * wider))
        if _ratio(wider, best) > FINE and between not in (best, wider):
            return between
        return self._look_or_hold(best)

    def _look_or_hold(self, best: int) -> int:
        self._held += 1
        if self._held < self._look_after:
            return best
        self._held = 0
        self._look_after = min(2 * self._look_after, LOOK_WINDOWS_MAX)
        self._looks_up = not self._looks_up
        if self._looks_up:
            return min(self._most, math.ceil(LOOK * best))
        return max(1, math.floor(best / LOOK))

    def _forget_from(self, too_much: int) -> None:
        """Search again below a level that is too much."""
        self._best, self._above, self._peak_yield = None, too_much, 0.0
        if self._below is not None and self._below >= int(CUT * too_much):
            self._below = None

    def _set(self, level: int, now: float) -> None:
        if level != self.limit:
            self.limit = level
            self._changed_at = now
            self._window = _Window(now)


class _Window:
    """The measurements since some moment."""

    def __init__(self, opened: float) -> None:
        self._opened = opened
        self._requests = 0
        self._full = 0
        self.work = 0.0
        self.seconds = 0.0

    def add(self, *, started: float, ended: float, work: float, full: bool) -> None:
        self._requests += 1
        self._full += full
        self.work += work
        self.seconds += max(ended - started, INSTANT)

    def is_complete(self, requests: int, now: float) -> bool:
        return self._requests >= requests and now - self._opened >= WINDOW_SECONDS_MIN

    @property
    def is_full(self) -> bool:
        return self._full >= FULL_SHARE_MIN * self._requests


def _ratio(level: int, other: int) -> float:
    return max(level, other) / min(level, other)
