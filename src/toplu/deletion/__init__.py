"""The deletion of a project with all that it has, and the proof that nothing is left."""
