"""Webhook endpoints of OpenAI's API."""
