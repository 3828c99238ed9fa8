"""Batches of OpenAI's API: their input files to lines of the core, their results back."""
