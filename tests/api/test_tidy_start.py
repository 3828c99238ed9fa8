"""A server puts its data folder in order when it starts."""

from pathlib import Path

from support.api.local_server import OpenServer


def test_results_of_a_job_that_is_gone_are_removed(
    open_test_server: OpenServer, tmp_path: Path
) -> None:
    results = tmp_path / "data" / "results" / "gone"
    results.mkdir(parents=True)
    (results / "0-1.log").write_bytes(b"x")
    open_test_server()
    assert not results.exists()
