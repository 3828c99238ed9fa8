"""Tenants and the keys that stand for them."""
