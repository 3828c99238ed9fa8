"""Tools that the server runs for a request: search, and answers from what was found."""
