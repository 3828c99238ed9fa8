"""The servers behind one remote engine: which one is asked, how much, and when not."""
