"""Engines and servers, real and misbehaving, for the tests of engines."""
