"""Decides which job is next: deadlines, fair shares, forecasts."""
