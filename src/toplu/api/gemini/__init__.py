"""The routes of Google's Gemini API."""
