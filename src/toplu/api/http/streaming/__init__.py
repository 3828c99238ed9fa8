"""Answers that go out piece by piece."""
