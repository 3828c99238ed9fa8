"""Where engines run: child processes under supervision, and the pool that shares their lanes."""
