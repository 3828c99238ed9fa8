"""One suite for whoever starts and ends replicas."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from support.placement_suite import check_replicas_come_and_go
from support.placements import PlacedServer, placed_by_others, placed_local

pytestmark = pytest.mark.system

Placed = Callable[[Path], AbstractContextManager[PlacedServer]]


@pytest.mark.parametrize("placed", [placed_local, placed_by_others])
def test_replicas_come_and_go_with_the_work(placed: Placed, tmp_path: Path) -> None:
    with placed(tmp_path) as found:
        check_replicas_come_and_go(found)
