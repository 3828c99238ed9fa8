"""Embedding models on onnxruntime, in a child process."""
