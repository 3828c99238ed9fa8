"""Rows for the tests of the store."""
