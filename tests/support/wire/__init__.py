"""Messages in every spelling that the wire allows."""
