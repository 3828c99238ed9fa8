"""Texts gathered in groups for the embedding engines."""
