"""Results in input order: partial, final, counted."""
