"""What a request may have the server do for it: search, and answer from what was found."""
