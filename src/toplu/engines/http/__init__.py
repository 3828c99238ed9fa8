"""Calls of HTTP servers by their clients, and what their faults mean."""
