"""Runs leased shards on lanes and writes their results."""
