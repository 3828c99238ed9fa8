"""The processes that work, as rows: each says what it is and does, and all read of all."""
