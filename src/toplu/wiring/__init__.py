"""Builds a process from the settings: every part, once, and who is handed which."""
