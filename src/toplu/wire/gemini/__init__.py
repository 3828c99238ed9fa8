"""The Gemini wire: message shapes and the lenient reading of them, without any I/O."""
