"""Answers that a batch has of others of its project: which are kept, and how they are found."""
