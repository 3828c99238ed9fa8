"""Webhooks: addresses that are told when batches end; how they are told, and that it is us."""
