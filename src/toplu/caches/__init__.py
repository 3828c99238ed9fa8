"""Caches: contents that are kept to be put before requests, computed once and kept warm."""
