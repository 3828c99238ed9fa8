"""Keeps the search for garbage from what lives as long as its process."""

import gc


def freeze() -> None:
    """Have what is loaded by now stay: to search it for garbage would hold up every call."""
    gc.collect()
    gc.freeze()
