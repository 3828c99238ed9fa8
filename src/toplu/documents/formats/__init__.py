"""Formats whose parsers can be led astray: they are read in the child alone."""
