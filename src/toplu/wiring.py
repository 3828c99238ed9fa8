"""Builds every room from the settings; the only module that knows them all."""
