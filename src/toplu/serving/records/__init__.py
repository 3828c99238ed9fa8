"""The records that a process writes of itself: its log, and its traces."""
