"""vLLM, run by a worker as a server of its own; it is spoken to as every OpenAI-compatible one."""
