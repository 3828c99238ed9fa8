from toplu.fleet.remote.breaker import PAUSE_SECONDS_FIRST, PAUSE_SECONDS_MAX, Breaker, BreakerState


def test_failures_in_a_row_open_it_and_a_success_between_them_does_not():
    breaker = Breaker(failures_max=3)
    for _ in range(5):
        breaker.failed(0.0)
        breaker.failed(0.0)
        breaker.succeeded()
    assert breaker.state is BreakerState.CLOSED
    for _ in range(3):
        breaker.failed(0.0)
    assert breaker.state is BreakerState.OPEN


def test_a_server_that_is_fit_again_has_to_show_it_once():
    breaker = Breaker(failures_max=1)
    breaker.failed(10.0)
    assert breaker.look_at == 10.0 + PAUSE_SECONDS_FIRST
    breaker.looked(11.0, fit=True)
    assert breaker.state is BreakerState.HALF_OPEN
    breaker.succeeded()
    assert breaker.state is BreakerState.CLOSED


def test_looks_get_rarer_up_to_a_bound():
    breaker = Breaker(failures_max=1)
    breaker.failed(0.0)
    pauses = []
    now = 0.0
    for _ in range(12):
        pauses.append(breaker.look_at - now)
        now = breaker.look_at
        breaker.looked(now, fit=True)
        breaker.failed(now)  # the one request that may try fails as well
    assert pauses == sorted(pauses)
    assert pauses[-1] == PAUSE_SECONDS_MAX


def test_a_look_at_an_idle_server_may_open_it():
    breaker = Breaker(failures_max=3)
    breaker.looked(1.0, fit=False)
    assert breaker.state is BreakerState.OPEN
