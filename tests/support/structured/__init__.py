"""Schemas, and walks over what a grammar allows."""
