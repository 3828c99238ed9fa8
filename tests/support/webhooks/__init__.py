"""Receivers of webhooks, and the parts that tell them."""
