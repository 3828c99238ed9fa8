"""The processes of a server: the supervisor, the one that answers calls, and those that work."""
