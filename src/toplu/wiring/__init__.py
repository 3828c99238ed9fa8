"""Builds a process from the settings: every part once, and hands it to the parts that use it."""
