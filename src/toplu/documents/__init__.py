"""Reads the bytes of documents as text, and of images as plain images."""
