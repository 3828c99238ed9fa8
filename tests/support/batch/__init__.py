"""Batches with their store and engines."""
