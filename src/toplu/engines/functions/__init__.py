"""Functions that a model may call: what is declared, what was called, what came of it."""
