"""Which models exist, and where their files come from."""
