"""Parts that tests and benchmarks share; each test imports them as `support.…`."""
