import resource

import pytest
import structlog.testing

from toplu.settings.server import Settings
from toplu.wiring import http_server

INFINITY = resource.RLIM_INFINITY


@pytest.mark.parametrize(
    ("soft", "hard", "raised", "connections"),
    [
        (1024, 4096, 2256, 1000),
        (1024, INFINITY, 2256, 1000),
        (1024, 1024, 1024, 384),
        (256, 300, 300, 22),
        (10, 20, 20, 1),
        (5000, 5000, None, 1000),
        (INFINITY, INFINITY, None, 1000),
    ],
)
def test_connections_are_as_many_as_there_are_files_for(
    monkeypatch: pytest.MonkeyPatch,
    soft: int,
    hard: int,
    raised: int | None,
    connections: int,
) -> None:
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: asked.append(limits))
    with structlog.testing.capture_logs() as logged:
        assert http_server._connections_max(Settings(connections_max=1000)) == connections
    assert asked == ([] if raised is None else [(raised, hard)])
    fewer = [each["connections"] for each in logged if each["event"] == "connections_fewer"]
    assert fewer == ([] if connections == 1000 else [connections])
