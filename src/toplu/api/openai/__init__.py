"""The routes of OpenAI's API, and its translation into the language that the core speaks."""
