"""From a Gemini request to a prompt, and from a generation to a Gemini response."""
