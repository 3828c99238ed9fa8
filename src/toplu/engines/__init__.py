"""What answers one request: the engine contract, its implementations and the catalogue."""
