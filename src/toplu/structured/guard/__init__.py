"""Schemas that may take too much: compiled and proved in a process of their own, within limits."""
