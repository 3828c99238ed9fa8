"""Scripted engines and virtual servers."""
