"""Runs engines: supervised children or remote servers, and pools that share their lanes."""
