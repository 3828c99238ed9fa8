"""A server in the process of the test, and calls of its API."""
