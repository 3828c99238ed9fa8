"""Traces: a span for each step of an interactive call, and for each step of a job.

`spans` is what everybody calls; it does nothing until `start` has imported OpenTelemetry.
"""
