"""OpenAI's messages to Gemini's, in which the core speaks, and back."""
