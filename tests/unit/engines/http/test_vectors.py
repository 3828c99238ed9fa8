import pytest

from toplu.engines.http.vectors import shared_out


@pytest.mark.parametrize(
    ("total", "weights", "shares"),
    [
        (10, [1, 1], [5, 5]),
        (7, [3, 3], [3, 4]),
        (12, [100, 1, 1], [9, 1, 2]),
        (3, [1000, 1, 1], [1, 1, 1]),
        (5, [0, 0], [1, 4]),
        (2, [5, 5, 5], [0, 1, 1]),
        (0, [5, 5], [0, 0]),
        (9, [4], [9]),
    ],
)
def test_shares_are_whole_and_add_up(total: int, weights: list[int], shares: list[int]):
    assert shared_out(total, weights) == shares
    assert sum(shares) == total
