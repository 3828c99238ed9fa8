"""The format of chat completions, which llama.cpp and OpenAI servers share."""
