"""Ways of asking an engine: in prompts, or in Gemini requests as they came."""
