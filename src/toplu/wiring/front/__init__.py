"""Builds what the front door has beside the first API: a second API, and the page."""
