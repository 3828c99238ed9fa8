"""Files of the Gemini Files API: how they arrive, are found and are forgotten."""
