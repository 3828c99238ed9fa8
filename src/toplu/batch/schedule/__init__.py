"""Whose turn it is: deadlines, fair shares, forecasts."""
