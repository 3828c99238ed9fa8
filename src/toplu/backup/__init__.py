"""A copy of a data folder, taken while a server works on it, and put back."""
