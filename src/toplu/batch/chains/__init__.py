"""Lines that wait for lines: what is written into them, and the waves in which they are planned."""
