"""The doors of workers: how a call gets from the front door to an engine, and back."""
