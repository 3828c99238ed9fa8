"""Clients of a storm, and what they saw."""
