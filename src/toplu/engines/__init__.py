"""Engines answer single requests: the contract, and a folder for each kind."""
