"""Servers that speak the Gemini API themselves."""
