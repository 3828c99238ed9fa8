"""The supervisor of a server's processes, and what it and they say to each other."""
