"""The APIs: HTTP in, HTTP out."""
