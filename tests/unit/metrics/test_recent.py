from toplu.metrics.recent import CALLS_MAX, WINDOW_SECONDS, RecentActivity, Recently


class Watch:
    """A clock that stands until it is moved."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_nothing_is_known_of_what_did_nothing() -> None:
    assert RecentActivity().read() == Recently(0, 0, None)


def test_tokens_and_calls_are_forgotten_in_their_time() -> None:
    watch = Watch()
    activity = RecentActivity(watch)
    activity.note_tokens(prompt=100, cached=90)
    activity.note_call(3.0)
    watch.now = WINDOW_SECONDS - 1
    activity.note_tokens(prompt=10, cached=1)
    activity.note_call(1.0)
    assert activity.read() == Recently(110, 91, 3.0)
    watch.now = WINDOW_SECONDS
    assert activity.read() == Recently(10, 1, 1.0)


def test_one_call_in_twenty_may_take_longer() -> None:
    activity = RecentActivity()
    for seconds in range(1, 21):
        activity.note_call(float(seconds))
    assert activity.read().call_p95_seconds == 19.0


def test_so_many_calls_are_remembered() -> None:
    activity = RecentActivity()
    for seconds in [100.0] * 51 + [1.0] * CALLS_MAX:
        activity.note_call(seconds)
    assert activity.read().call_p95_seconds == 1.0


def test_little_is_kept_however_often_tokens_are_counted() -> None:
    watch = Watch()
    activity = RecentActivity(watch)
    for second in range(2 * WINDOW_SECONDS):
        watch.now = float(second)
        activity.note_tokens(prompt=1, cached=0)
    assert activity.read().prompt_tokens == WINDOW_SECONDS
    assert len(activity._slots) == 15
