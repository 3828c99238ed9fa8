"""Keeps what survives a crash: rows, immutable blobs and the result log."""
