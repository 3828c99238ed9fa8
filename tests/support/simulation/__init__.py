"""A server in virtual time, its faults and its checkers."""
