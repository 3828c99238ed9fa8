"""Rows in SQL: jobs, shards, files, keys, ledger."""
