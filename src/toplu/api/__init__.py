"""The first door: HTTP in, HTTP out."""
