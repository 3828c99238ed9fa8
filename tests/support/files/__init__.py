"""Uploads with their store."""
