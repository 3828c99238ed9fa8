"""OpenAI's API on the wire: its messages, and how they are read. It knows nothing of Gemini's."""
