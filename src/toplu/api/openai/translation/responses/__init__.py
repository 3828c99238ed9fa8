"""Responses of OpenAI's API: their items, and the events of their streams."""
