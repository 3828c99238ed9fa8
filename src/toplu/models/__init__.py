"""The models that exist, and the sources of their files."""
