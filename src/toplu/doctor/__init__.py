"""Looks at a machine: what is in the way of a server here, and what models there are."""
