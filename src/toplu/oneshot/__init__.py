"""`toplu run`: a file in, a file out, by one ordinary batch on a private or a running server."""
