"""Tables in files: read row by row, written row by row, and prompts made of their columns."""
