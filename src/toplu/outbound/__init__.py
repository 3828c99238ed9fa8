"""Other machines that are asked by address: which may be, and how they are reached."""
