"""Keeps the search for garbage from what lives as long as its process."""

import gc


def pause() -> None:
    """Search for none while modules are loaded, until `freeze`: nothing of them is garbage."""
    gc.disable()


def freeze() -> None:
    """Have what is loaded by now stay: to search it for garbage would hold up every call."""
    gc.collect()
    gc.freeze()
    gc.enable()
