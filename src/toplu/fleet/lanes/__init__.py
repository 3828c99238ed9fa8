"""Slots where requests run: claims, reserve, preemption."""
