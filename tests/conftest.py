"""Its place makes `tests` importable: `from server import started_server`."""
