"""Bytes: whole blobs, and the log of results."""
