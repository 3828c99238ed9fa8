"""Rows of the input as lines of a batch, and results as rows of the output."""
