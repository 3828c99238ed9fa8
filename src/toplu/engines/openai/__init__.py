"""Servers that speak the OpenAI API: vLLM, SGLang, llama.cpp and others."""
